import assert from 'node:assert/strict';
import { createMachine } from '../machine/machine.js';

/**
 * The bootstrap processor (flat 32-bit code at 1 MiB) puts a real-mode stub at 8000H, sends INIT and STARTUP to all
 * others, waits until each has counted itself, and exits with their number.
 *
 * mov edi, 0x8000; mov dword [edi], stub...; mov dword [0xfee00300], 0xc4500 / 0xc4608;
 * wait: pause; mov eax, [0x7000]; cmp eax, N-1; jne wait; out 0xf4, al; hlt
 * stub: lock inc dword [0x7000]; hlt; jmp to the hlt
 */
function image(others: number): Uint8Array {
  const stub = [0x66, 0xf0, 0xff, 0x06, 0x00, 0x70, 0xf4, 0xeb, 0xfd];
  const store = (address: number, value: number): number[] => [
    0xc7,
    0x05,
    ...new Uint8Array(Uint32Array.of(address, value).buffer),
  ];
  const bytes = [...stub, 0, 0, 0];
  const words = new Uint32Array(Uint8Array.from(bytes).buffer);
  // LOCK must come before the operand-size prefix or after it; both are legal.
  const code = [
    ...[...words].flatMap((word, i) => store(0x8000 + i * 4, word)),
    ...store(0xfee0_00f0, 0x1ff),
    ...store(0xfee0_0300, 0xc_4500),
    ...store(0xfee0_0300, 0xc_4608),
    ...[0xf3, 0x90, 0xa1, 0x00, 0x70, 0x00, 0x00, 0x83, 0xf8, others, 0x75, 0xf4],
    ...[0xe6, 0xf4, 0xf4],
  ];
  return Uint8Array.from(code);
}

const make = (processors: number) =>
  createMachine({
    memorySize: 4 << 20,
    image: image(processors - 1),
    imageName: 'processors.bin',
    mode: 'protected',
    processors,
  });

describe('several processors', () => {
  for (const count of [2, 8]) {
    it(`${count}: INIT and STARTUP start the others in real mode`, () => {
      const machine = make(count);
      assert.deepEqual(machine.run(1_000_000), {
        kind: 'ended',
        end: { kind: 'debugExit', status: ((count - 1) << 1) | 1 },
      });
    });
  }

  it('run alike however the run is sliced', () => {
    const end = (slice: number): number => {
      const machine = make(4);
      while (!machine.ended) machine.run(slice);
      return machine.position;
    };
    assert.equal(end(7), end(1_000_000));
  });

  it('a processor that was not started waits; its registers can be looked at', () => {
    const machine = make(2);
    assert.equal(machine.currentProcessor, 0);
    machine.selectProcessor(1);
    assert.equal(machine.state.activity, 3);
    assert.equal(machine.state.rip, 0xfff0n);
    machine.selectProcessor(0);
    assert.equal(machine.state.activity, 0);
  });
});
