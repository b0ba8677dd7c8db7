/** Everything that the server answers: a table of features. */
import type { ServerCapabilities } from 'vscode-languageserver';
import { codeActions } from './codeActions.js';
import { codeLens } from './codeLens.js';
import { completion, completionResolve } from './completion.js';
import { definition } from './definition.js';
import type { Feature } from './feature.js';
import { folding } from './folding.js';
import { formatting, rangeFormatting } from './formatting.js';
import { hover } from './hover.js';
import { inlayHint } from './inlayHints.js';
import { documentHighlight, references } from './references.js';
import { prepareRename, rename } from './rename.js';
import { semanticTokens, semanticTokensInRange } from './semanticTokens.js';
import { signatureHelp } from './signatureHelp.js';
import { documentSymbol, workspaceSymbol } from './symbols.js';

/** The requests differ in what they take and give; who calls one by its method knows its types. */
export const features = [
  hover,
  completion,
  completionResolve,
  signatureHelp,
  definition,
  references,
  documentHighlight,
  prepareRename,
  rename,
  documentSymbol,
  workspaceSymbol,
  folding,
  inlayHint,
  semanticTokens,
  semanticTokensInRange,
  formatting,
  rangeFormatting,
  codeActions,
  codeLens,
] as unknown as readonly Feature<unknown, unknown>[];

/** What the server tells the client that it can do. */
export const capabilities: ServerCapabilities = Object.assign(
  {},
  ...features.map((feature) => feature.capabilities),
) as ServerCapabilities;
