import { InlayHintKind, InlayHintRequest } from 'vscode-languageserver';
import type { InlayHint } from 'vscode-languageserver';
import { hypercallSites } from '../codeFlow/hypercallSites.js';
import { hexBytes } from '../text/hex.js';
import { fileOfUri } from '../workspace/uris.js';
import { feature } from './feature.js';

const ADDRESS_DIGITS = 8;
/** Data directives may be long. */
const MOST_BYTES = 15;

export const inlayHint = feature(
  InlayHintRequest.type,
  { inlayHintProvider: true },
  (workspace, { textDocument, range }) => {
    const analysis = workspace.analysis(textDocument.uri);
    const file = fileOfUri(textDocument.uri);
    if (!analysis) return null;
    const { addresses, bytes, hypercalls } = workspace.settings.inlayHints;
    const hints: InlayHint[] = [];
    for (let line = range.start.line + 1; line <= range.end.line + 1; line++) {
      if (!addresses && !bytes) break;
      const statements = analysis.statementsAt(file, line).filter(({ size }) => size > 0);
      const first = statements[0];
      if (!first) continue;
      if (addresses) {
        const label = first.address.toString(16).padStart(ADDRESS_DIGITS, '0');
        hints.push({ position: { line: line - 1, character: 0 }, label, paddingRight: true });
      }
      const isExpansion = first.expansion !== undefined || statements.length > 1;
      if (!bytes || isExpansion) continue;
      const shown = hexBytes(first.bytes.subarray(0, MOST_BYTES)) + (first.size > MOST_BYTES ? ' …' : '');
      const position = { line: line - 1, character: first.endColumn - 1 };
      hints.push({ position, label: shown, paddingLeft: true });
    }
    if (hypercalls) {
      for (const { statement, hypercall } of hypercallSites(analysis)) {
        const { file: where, line, endColumn, expansion } = statement;
        if (!hypercall || where !== file || expansion) continue;
        if (line - 1 < range.start.line || line - 1 > range.end.line) continue;
        hints.push({
          position: { line: line - 1, character: endColumn - 1 },
          label: hypercall.name,
          kind: InlayHintKind.Type,
          paddingLeft: true,
        });
      }
    }
    return hints;
  },
);
