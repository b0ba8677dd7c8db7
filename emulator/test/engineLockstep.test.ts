/** The compiler against the interpreter. */
import assert from 'node:assert/strict';
import { lockstep } from './lockstep/lockstep.js';

describe('compiler against the interpreter', () => {
  it('has the same state at random positions of 1,000 random programs', function () {
    this.timeout(20_000);
    assert.deepEqual(lockstep(1000, 7), []);
  });
});
