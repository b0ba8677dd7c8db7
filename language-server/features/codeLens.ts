import { CodeLensRequest } from 'vscode-languageserver';
import type { CodeLens } from 'vscode-languageserver';
import { hypercallSites } from '../codeFlow/hypercallSites.js';
import { rangeOf } from '../workspace/positions.js';
import { fileOfUri } from '../workspace/uris.js';
import { feature } from './feature.js';

/** The extension's command, with the file, the 1-based line and the program as arguments. */
export const RUN_TO_LINE_COMMAND = 'hyperstep.runToLine';

export const codeLens = feature(
  CodeLensRequest.type,
  { codeLensProvider: { resolveProvider: false } },
  (workspace, { textDocument }) => {
    const analysis = workspace.analysis(textDocument.uri);
    if (!analysis) return null;
    const file = fileOfUri(textDocument.uri);
    const lenses = new Map<number, CodeLens>();
    for (const { statement } of hypercallSites(analysis)) {
      const { file: where, line, column, endColumn } = statement;
      if (where !== file || lenses.has(line)) continue;
      lenses.set(line, {
        range: rangeOf({ line, column, endColumn }),
        command: {
          title: '$(debug-line-by-line) Run to here',
          command: RUN_TO_LINE_COMMAND,
          arguments: [textDocument.uri, line, workspace.uriOf(analysis.file)],
        },
      });
    }
    return [...lenses.values()];
  },
);
