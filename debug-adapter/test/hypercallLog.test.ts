import assert from 'node:assert/strict';
import type { WorldSwitch } from '../../emulator/machine/worldSwitch.js';
import { ExitReason } from '../../emulator/vmx/exitReasons.js';
import { kvmConvention } from '../hypercalls/conventions.js';
import { HypercallLog } from '../hypercalls/log.js';
import { ExitCounts } from '../vmexits/counts.js';

const VMCS = 0x1000;

/** A switch at `virtualNs`: an exit when it has a reason. RAX is the only register that matters. */
function worldSwitch(virtualNs: number, rip: bigint, rax: bigint, reason?: number, vmcs = VMCS): WorldSwitch {
  const registers = new BigUint64Array(16);
  registers[0] = rax;
  const exit = reason === undefined ? undefined : exitOf(reason);
  const guest = { rflags: 2n, cpl: 0, cr3: 0n, codeBits: 64, csBase: 0n } as const;
  const direction = exit ? 'exit' : 'entry';
  return { direction, position: virtualNs, virtualNs, vmcs, registers, rip, ...guest, exit };
}

const exitOf = (reason: number): WorldSwitch['exit'] => ({
  reason,
  entryFailure: false,
  qualification: 0n,
  instructionLength: 3,
  instructionInformation: 0,
  interruptionInformation: 0,
  interruptionErrorCode: 0,
  guestLinearAddress: 0n,
  guestPhysicalAddress: 0n,
});

const { VMCALL, EXTERNAL_INTERRUPT } = ExitReason;

describe('the hypercall log', () => {
  /** The log after these switches: number, result and time of each call, `null` while it is open. */
  function check(switches: readonly WorldSwitch[], expected: readonly string[]): void {
    const log = new HypercallLog(
      kvmConvention,
      () => new Uint8Array(),
      ({ csBase, rip }) => csBase + rip,
    );
    for (const event of switches) log.observe(event);
    const calls = Array.from({ length: log.length }, (_, seq) => {
      const call = log.at(seq);
      return `${call.nr} ${log.resultOf(call)} ${call.answeredNs ?? '-'}`;
    });
    assert.deepEqual(calls, expected);
  }

  it('answers a call by the entry behind the instruction', () =>
    check(
      [worldSwitch(10, 0x100n, 5n, VMCALL), worldSwitch(30, 0x103n, BigInt.asUintN(64, -1000n))],
      ['5 -KVM_ENOSYS 30'],
    ));

  it('keeps calls of two guests apart', () =>
    check(
      [
        worldSwitch(10, 0x100n, 5n, VMCALL),
        worldSwitch(20, 0x200n, 6n, VMCALL, 0x2000),
        worldSwitch(30, 0x203n, 1n, undefined, 0x2000),
      ],
      ['5 null -', '6 0x1 30'],
    ));

  it('takes an instruction that is executed again for one call', () =>
    check(
      [
        worldSwitch(10, 0x100n, 5n, VMCALL),
        worldSwitch(20, 0x100n, 5n),
        worldSwitch(25, 0x500n, 5n, EXTERNAL_INTERRUPT),
        worldSwitch(26, 0x500n, 5n),
        worldSwitch(30, 0x100n, 5n, VMCALL),
        worldSwitch(40, 0x103n, 0n),
      ],
      ['5 0x0 40'],
    ));
});

describe('VM-exit counts', () => {
  it('count each reason, with the time until the same guest goes on', () => {
    const counts = new ExitCounts();
    const switches = [
      worldSwitch(10, 0x100n, 5n, VMCALL),
      worldSwitch(15, 0x200n, 5n, VMCALL, 0x2000),
      worldSwitch(30, 0x103n, 0n),
      worldSwitch(40, 0x300n, 0n, EXTERNAL_INTERRUPT),
      worldSwitch(45, 0x300n, 0n),
      worldSwitch(50, 0x203n, 0n, undefined, 0x2000),
    ];
    for (const event of switches) counts.observe(event);
    assert.deepEqual(
      counts.rows().map(({ reason, count, virtualNs }) => [reason, count, virtualNs]),
      [
        [EXTERNAL_INTERRUPT, 1, 5],
        [VMCALL, 2, 55],
      ],
    );
    assert.equal(counts.total, 3);
  });
});
