import { FoldingRangeKind, FoldingRangeRequest } from 'vscode-languageserver';
import type { FoldingRange } from 'vscode-languageserver';
import type { Analysis } from '../../toolchain/assembler/analysis.js';
import { fileOfUri } from '../workspace/uris.js';
import { feature } from './feature.js';

/** What opens a block, and what closes it. */
const BLOCKS: readonly (readonly [open: RegExp, close: RegExp])[] = [
  [/^\.macro$/, /^\.endm$/],
  [/^\.(rept|irpc?)$/, /^\.endr$/],
  [/^\.if\w*$/, /^\.endif$/],
  [/^#\s*if(n?def)?$/, /^#\s*endif$/],
  [/^\.cfi_startproc$/, /^\.cfi_endproc$/],
];
/** A middle branch closes one region and opens the next. */
const MIDDLE = /^(\.else(if)?|#\s*(else|elif))$/;

export const folding = feature(
  FoldingRangeRequest.type,
  { foldingRangeProvider: true },
  (workspace, { textDocument }) => {
    const analysis = workspace.latestAnalysis(textDocument.uri);
    return analysis ? foldingRanges(analysis, fileOfUri(textDocument.uri)) : null;
  },
);

function foldingRanges(analysis: Analysis, file: string): FoldingRange[] {
  const ranges: FoldingRange[] = [];
  const open: { block: number; line: number }[] = [];
  let commentStart: number | undefined;
  let label: number | undefined;
  let lastCode = 0;
  const add = (start: number, end: number, kind?: FoldingRangeKind): void => {
    if (end > start) ranges.push({ startLine: start - 1, endLine: end - 1, ...(kind ? { kind } : {}) });
  };
  let line = 1;
  for (; analysis.lineText(file, line) !== undefined; line++) {
    const syntax = analysis.lineSyntax(file, line);
    if (!syntax) break;
    const { tokens, statements, endsInComment } = syntax;
    const isComment = tokens.length > 0 && tokens.every(({ kind }) => kind === 'comment');
    if (isComment || (endsInComment && statements.length === 0)) commentStart ??= line;
    else {
      if (commentStart !== undefined) add(commentStart, line - 1, FoldingRangeKind.Comment);
      commentStart = undefined;
    }
    for (const { labels, operation } of statements) {
      if (labels.some(({ kind }) => kind === 'label')) {
        if (label !== undefined) add(label, lastCode);
        label = line;
      }
      const word = operation?.text.toLowerCase() ?? '';
      const opened = BLOCKS.findIndex(([start]) => start.test(word));
      if (opened >= 0) open.push({ block: opened, line });
      const top = open.at(-1);
      if (top && MIDDLE.test(word)) {
        add(top.line, line - 1);
        top.line = line;
      } else if (top && BLOCKS[top.block][1].test(word)) {
        add(top.line, line);
        open.pop();
      }
    }
    if (statements.length > 0) lastCode = line;
  }
  if (commentStart !== undefined) add(commentStart, line - 1, FoldingRangeKind.Comment);
  if (label !== undefined) add(label, lastCode);
  return ranges;
}
