/** The interpreter against the processor of this machine. */
import assert from 'node:assert/strict';
import { compareWithProcessor } from './native/differential.js';
import { generateVector } from './native/vectorGenerator.js';
import { probeUnavailable } from './native/nativeProbe.js';

describe('interpreter against the native processor', () => {
  before(function () {
    const unavailable = probeUnavailable();
    if (unavailable === undefined) return;
    console.log(`    skipped: ${unavailable}`);
    this.skip();
  });

  it('agrees on 20,000 random cases of SSE and SSE2', () => {
    const { mismatches, coverage } = compareWithProcessor(20_000, 21, generateVector);
    assert.deepEqual(mismatches, []);
    assert.ok(coverage.size >= 100, `${coverage.size} mnemonics`);
  });

  it('agrees on 20,000 random cases (npm run test:native: on a million)', () => {
    const { mismatches, coverage } = compareWithProcessor(20_000, 20);
    assert.deepEqual(mismatches, []);
    // Every mnemonic of the table's hot user-mode rows takes part.
    assert.ok(coverage.size >= 100, `${coverage.size} mnemonics`);
  });
});
