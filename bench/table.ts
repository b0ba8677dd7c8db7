/** The table that the benchmark prints. */
import { goal } from './goals.js';
import type { PeerResult, Results, RowResult } from './results.js';
import { median, rate, ratio, significant } from './results.js';

/** Markdown: one line a row, Hyperstep's speed and how many times a peer's that is, with the goal where it is missed. */
export function formatTable(results: Results, optimisedBochs: boolean): string {
  const heading = ['', 'Hyperstep', ...results.peers.map(({ title }) => `× ${title}`)];
  const lines = results.rows.map((row) => [
    row.title,
    ownRate(row),
    ...results.peers.map((peer) => formatCell(row, peer, optimisedBochs)),
  ]);
  const widths = heading.map((_, i) => Math.max(...[heading, ...lines].map((line) => line[i].length)));
  const format = (line: readonly string[]): string =>
    `| ${line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`;
  const rule = `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [format(heading), rule, ...lines.map(format), '', ...notes(results, optimisedBochs)].join('\n');
}

function ownRate(row: RowResult): string {
  const runs = row.cells.hyperstep?.runs ?? [];
  return runs.length === 0 ? '-' : rate(row, median(runs));
}

function formatCell(row: RowResult, peer: PeerResult, optimisedBochs: boolean): string {
  const value = ratio(row, peer);
  if (value === undefined) return '-';
  const wanted = goal(row.name, peer.name, optimisedBochs);
  return `${significant(value)}${wanted !== undefined && value < wanted ? ` (goal ${wanted})` : ''}`;
}

function notes(results: Results, optimisedBochs: boolean): string[] {
  const versions = results.peers.map(({ title, version }) => `${title}: ${version}`).join('; ');
  const absent = results.rows.flatMap((row) =>
    results.peers.flatMap((peer) => {
      const why = row.cells[peer.name]?.absent?.split('\n')[0];
      return why === undefined ? [] : [`${row.title}, ${peer.title}: ${why}.`];
    }),
  );
  return [
    `${results.processor}. ${versions}.`,
    'Medians of interleaved runs, in processor time of the whole process. v86 is compared on 32-bit builds, the others on',
    '64-bit ones. The guest prints a line a round; the clock starts at a line behind a warm-up, so that start-up and most of the',
    'translation are not in it.',
    ...(optimisedBochs || !results.peers.some(({ name }) => name === 'bochs')
      ? []
      : [
          "Debian's Bochs is not an optimised build, which is about four times as fast: its goals are four times as high.",
        ]),
    ...absent,
  ];
}
