/** The table: ratios by pairs of runs, goals by build of Bochs, rows that a peer cannot run. */
import assert from 'node:assert/strict';
import type { Results } from '../results.js';
import { formatTable } from '../table.js';

const results: Results = {
  date: '2026-01-01T00:00:00Z',
  processor: 'Test',
  peers: [
    { name: 'bochs', title: 'Bochs', against: 'hyperstep', version: '3' },
    { name: 'v86', title: 'v86', against: 'hyperstep-32', version: '1' },
  ],
  rows: [
    {
      name: 'alu',
      title: 'ALU loop',
      instructionsARound: 2e6,
      cells: {
        hyperstep: { runs: [0.001, 0.002, 0.001] },
        bochs: { runs: [0.01, 0.01, 0.008] },
        'hyperstep-32': { runs: [0.004] },
        v86: { runs: [0.002] },
      },
    },
    {
      name: 'vmcall',
      title: 'VMCALL',
      instructionsARound: 8e4,
      work: { unit: 'round trips', perRound: 10_000 },
      cells: {
        hyperstep: { runs: [0.01] },
        bochs: { runs: [0.02] },
        v86: { runs: [], absent: 'no 32-bit build' },
      },
    },
  ],
};

const check = (optimisedBochs: boolean, expected: readonly string[]): void => {
  const lines = formatTable(results, optimisedBochs).split('\n');
  const cells = lines.slice(2, 4).map((line) => line.replace(/ +/g, ' '));
  assert.deepEqual(cells, expected);
  assert.ok(lines.includes('VMCALL, v86: no 32-bit build.'));
};

describe('the table of the benchmark', () => {
  it('takes the median of pairs, and names the goal where it is missed', () => {
    check(true, ['| ALU loop | 2000 MIPS | 8.00 | 0.50 (goal 1) |', '| VMCALL | 1.00 M/s | 2.00 | - |']);
  });

  it("asks four times as much against Debian's Bochs", () => {
    check(false, [
      '| ALU loop | 2000 MIPS | 8.00 (goal 20) | 0.50 (goal 1) |',
      '| VMCALL | 1.00 M/s | 2.00 (goal 4) | - |',
    ]);
  });
});
