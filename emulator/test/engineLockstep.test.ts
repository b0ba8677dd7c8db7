/** The compiler against the interpreter. */
import assert from 'node:assert/strict';
import { lockstep } from './lockstep/lockstep.js';

describe('compiler against the interpreter', () => {
  it('has the same state at random positions of 300 random programs', function () {
    this.timeout(20_000);
    assert.deepEqual(lockstep(300, 7), []);
  });
});
