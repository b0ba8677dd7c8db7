/** The table as a picture: bars of how many times a peer's speed Hyperstep has, on a logarithmic scale. */
import type { Results } from './results.js';
import { ratio, significant } from './results.js';

const COLOURS = ['#3b6fb6', '#7fa6d8', '#d98841', '#5a9e6f'];
const LABEL_WIDTH = 260;
const PLOT_WIDTH = 560;
const BAR = 11;
const ROW_GAP = 12;
const TOP = 56;
const LEAST = 1 / 8;
const MOST = 128;

const escapeText = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');

/** An SVG document. */
export function plot(results: Results): string {
  const rowHeight = results.peers.length * BAR + ROW_GAP;
  const height = TOP + results.rows.length * rowHeight + 30;
  const legend = results.peers.map((peer, i) => {
    const x = LABEL_WIDTH + i * 140;
    return `<rect x="${x}" y="14" width="11" height="11" fill="${COLOURS[i]}"/><text x="${x + 16}" y="24">${escapeText(peer.title)}</text>`;
  });
  const bars = results.rows.flatMap((row, r) => {
    const top = TOP + r * rowHeight;
    const label = `<text x="${LABEL_WIDTH - 10}" y="${top + rowHeight / 2}" text-anchor="end">${escapeText(row.title)}</text>`;
    return [label, ...results.peers.map((peer, p) => bar(ratio(row, peer), top + p * BAR, COLOURS[p]))];
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${LABEL_WIDTH + PLOT_WIDTH + 60}" height="${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
${legend.join('\n')}
${gridLines(height - 30).join('\n')}
${bars.join('\n')}
<text x="${LABEL_WIDTH}" y="${height - 8}">Hyperstep's speed as a multiple of the peer's; right of 1 it is faster</text>
</svg>
`;
}

function position(value: number): number {
  const clipped = Math.min(MOST, Math.max(LEAST, value));
  return LABEL_WIDTH + (Math.log(clipped / LEAST) / Math.log(MOST / LEAST)) * PLOT_WIDTH;
}

function gridLines(bottom: number): string[] {
  const values = Array.from({ length: Math.log2(MOST / LEAST) + 1 }, (_, i) => LEAST * 2 ** i);
  return values.map((value) => {
    const x = position(value).toFixed(1);
    const colour = value === 1 ? '#222' : '#ddd';
    const name = value < 1 ? `1/${1 / value}` : `${value}`;
    return `<line x1="${x}" x2="${x}" y1="${TOP - 8}" y2="${bottom}" stroke="${colour}"/><text x="${x}" y="${TOP - 12}" text-anchor="middle" fill="#666">${name}</text>`;
  });
}

function bar(value: number | undefined, y: number, colour: string): string {
  if (value === undefined) return '';
  const [from, to] = [position(1), position(value)];
  const label = `<text x="${Math.max(from, to) + 4}" y="${y + BAR - 2}" font-size="9" fill="#444">${significant(value)}</text>`;
  return `<rect x="${Math.min(from, to).toFixed(1)}" y="${y}" width="${Math.max(1, Math.abs(to - from)).toFixed(1)}" height="${BAR - 2}" fill="${colour}"/>${label}`;
}
