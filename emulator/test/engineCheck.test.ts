/** The mode that runs every region in both back ends. */
import assert from 'node:assert/strict';
import { CompilerMismatch } from '../cpu/compiler/regionCheck.js';
import { site } from '../cpu/compiler/regionLayout.js';
import { region } from '../cpu/layout.js';
import { EngineExit } from '../cpu/seams.js';
import { lockstep } from './lockstep/lockstep.js';
import { flatMachine } from './native/flatMachine.js';

const CODE = 0x1000;
/** 1: add eax, 1; mov [0x3000], eax; jmp 1b */
const LOOP = [0x83, 0xc0, 0x01, 0x89, 0x04, 0x25, 0x00, 0x30, 0x00, 0x00, 0xeb, 0xf4];

describe('check of compiled code', () => {
  it('finds nothing in 100 random programs', function () {
    this.timeout(20_000);
    assert.deepEqual(lockstep(100, 3, undefined, { checkCompiler: true }), []);
  });

  it('names the region and what is wrong', () => {
    const machine = flatMachine({ checkCompiler: true });
    machine.load(CODE, LOOP);
    machine.state.rip = BigInt(CODE);
    assert.equal(machine.engine.run(20_000), EngineExit.BUDGET);
    // The site of the store gives one instruction too few back.
    machine.memory.u16[(region.sites + site.left) >> 1] -= 1;
    machine.system.flushTlb();
    const wrong = (error: unknown) =>
      error instanceof CompilerMismatch &&
      /compiled region entered at 0x1000 .* is wrong: rip is 0x1003, interpreted 0x/.test(error.message);
    assert.throws(() => machine.engine.run(20_000), wrong);
  });
});
