import assert from 'node:assert/strict';
import {
  divide,
  hypercallDetails,
  hypercallRow,
  hypercallState,
  layOut,
  PAGE,
} from '../views/hypercallRows.js';
import type { CallRange } from '../views/hypercallRows.js';
import { aCall, check } from './check.js';

const blocked = aCall({
  after: null,
  result: null,
  name: 'sleep',
  durationNs: 5,
  blockedIn: 'msleep (sched.c:120)',
});

describe('rows of the Hypercalls view', () => {
  it('an answered call shows its result, its caller and how long it took', () => {
    const row = hypercallRow(aCall(), 0);
    assert.equal(row.label, '#12 KVM_HC_KICK_CPU → -KVM_ENOSYS');
    assert.equal(row.description, 'vCPU 0 · hello.S:12 · 1.24 µs');
    assert.deepEqual(row.place, { file: '/guests/hello.S', line: 12 });
    assert.equal(hypercallState(aCall()), 'error');
  });

  it('a blocked call counts up to now and says where it sleeps', () => {
    const row = hypercallRow(blocked, 2_000_000 + 3.5e9);
    assert.equal(row.label, '#12 sleep → blocked');
    assert.equal(row.description, '3.50 s in msleep (sched.c:120) · vCPU 0 · hello.S:12');
    assert.equal(hypercallState(blocked), 'blocked');
  });

  it('a number without a name and a caller without a line are shown as numbers', () => {
    const row = hypercallRow(aCall({ name: null, nr: '0x63', source: null, result: '0x0' }), 0);
    assert.equal(row.label, '#12 hypercall 99 → 0x0');
    assert.equal(row.description, 'vCPU 0 · 0x401012 · 1.24 µs');
    assert.equal(row.place, undefined);
  });

  const registers = check('registers', (format: 'hex' | 'decimal') =>
    hypercallDetails(aCall(), 0, format)
      .slice(0, 5)
      .map(({ label, description, changed }) => `${label} ${description}${changed ? ' *' : ''}`),
  );
  registers('hex', [
    'RAX 0x5 → 0xfffffffffffffc18 *',
    'RBX 0x1000 → 0x1000',
    'RCX 0x0 → 0x0',
    'RDX 0x0 → 0x0',
    'RSI 0x0 → 0x0',
  ]);
  registers('decimal', ['RAX 5 → -1000 *', 'RBX 4096 → 4096', 'RCX 0 → 0', 'RDX 0 → 0', 'RSI 0 → 0']);

  it('a blocked call has no values after it, and none of them is marked', () => {
    const rows = hypercallDetails(blocked, 0, 'hex');
    assert.equal(rows[0].description, '0x5 → …');
    assert.ok(rows.every((row) => !row.changed));
    assert.ok(rows.some((row) => row.label === 'Blocked in' && row.description === 'msleep (sched.c:120)'));
  });
});

describe('pages of the Hypercalls view', () => {
  const layout = check('layout of', layOut);
  layout(0, { earlier: undefined, newest: { start: 0, end: 0 } });
  layout(199, { earlier: undefined, newest: { start: 0, end: 199 } });
  layout(200, { earlier: { start: 0, end: 100 }, newest: { start: 100, end: 200 } });
  layout(100_000, { earlier: { start: 0, end: 99_900 }, newest: { start: 99_900, end: 100_000 } });

  for (const end of [101, 9_999, 10_000, 10_001, 99_900, 12_345_600]) {
    it(`${end} calls are divided without gap or overlap into nodes that can be read`, () => {
      const leaves = divideFully({ start: 0, end });
      assert.equal(leaves[0].start, 0);
      assert.equal(leaves.at(-1)?.end, end);
      for (const [index, leaf] of leaves.entries()) {
        assert.ok(leaf.end - leaf.start <= PAGE);
        if (index > 0) assert.equal(leaf.start, leaves[index - 1].end);
      }
    });
  }
});

function divideFully(range: CallRange): CallRange[] {
  if (range.end - range.start <= PAGE) return [range];
  const parts = divide(range);
  assert.ok(parts.length <= PAGE);
  return parts.flatMap(divideFully);
}
