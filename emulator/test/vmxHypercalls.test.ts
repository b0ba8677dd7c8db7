/** Host and guest as real code on the whole machine: hypercalls answered by machine code. */
import assert from 'node:assert/strict';
import { Cr4, SegmentAccess } from '../cpu/registerBits.js';
import { createMachine } from '../machine/machine.js';
import type { Machine } from '../machine/machineTypes.js';
import type { WorldSwitch } from '../machine/worldSwitch.js';
import { VMCS_REVISION } from '../vmx/capabilities.js';
import { VmxOperation } from '../vmx/context.js';
import { Primary, Secondary } from '../vmx/controls.js';
import { ExitReason } from '../vmx/exitReasons.js';
import { Field } from '../vmx/fields.js';
import { Vmcs } from '../vmx/vmcs.js';
import { writeValidVmcs } from './vmxFixture.js';

const LOAD = 0x20_0000;
const VMCS = 0x30_0000;
const EPT = 0x31_0000;
const HOST_STACK = 0x32_0000;
const HYPERCALLS = 1000;

/** The guest, then the host's start, then the host's exit handler, each at its offset. */
const GUEST = 0;
const HOST = 0x100;
const HANDLER = 0x200;

const guestCode = [
  ...[0x41, 0xb8, HYPERCALLS & 0xff, HYPERCALLS >> 8, 0, 0], // mov r8d, HYPERCALLS
  ...[0x31, 0xc0], // xor eax, eax
  ...[0x0f, 0x01, 0xc1], // 1: vmcall
  ...[0x41, 0xff, 0xc8], // dec r8d
  ...[0x75, 0xf8], // jnz 1b
  ...[0x31, 0xc9], // xor ecx, ecx
  ...[0x0f, 0xa2], // cpuid
];
const hostCode = [0x0f, 0x01, 0xc2]; // vmlaunch
const handlerCode = [
  ...[0xb9, 0x02, 0x44, 0x00, 0x00], // mov ecx, VM_EXIT_REASON
  ...[0x0f, 0x78, 0xcb], // vmread rbx, rcx
  ...[0x83, 0xfb, ExitReason.VMCALL], // cmp ebx, VMCALL
  ...[0x75, 0x15], // jne 2f
  ...[0x48, 0x83, 0xc0, 0x03], // add rax, 3
  ...[0xb9, 0x1e, 0x68, 0x00, 0x00], // mov ecx, GUEST_RIP
  ...[0x0f, 0x78, 0xcb], // vmread rbx, rcx
  ...[0x83, 0xc3, 0x03], // add ebx, 3
  ...[0x0f, 0x79, 0xcb], // vmwrite rcx, rbx
  ...[0x0f, 0x01, 0xc3], // vmresume
  ...[0xf4], // 2: hlt
];

/** A one-segment ELF64 executable. */
function elf(code: Uint8Array, entry: number): Uint8Array {
  const header = 64 + 56;
  const bytes = new Uint8Array(header + code.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 62, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, BigInt(entry), true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true);
  view.setUint32(68, 7, true);
  view.setBigUint64(72, BigInt(header), true);
  for (const offset of [80, 88]) view.setBigUint64(offset, BigInt(LOAD), true);
  for (const offset of [96, 104]) view.setBigUint64(offset, BigInt(code.length), true);
  view.setBigUint64(112, 4096n, true);
  bytes.set(code, header);
  return bytes;
}

/** A machine in VMX root operation with a current VMCS for the guest, at the host's VMLAUNCH. */
function createHost(): { machine: Machine; switches: WorldSwitch[] } {
  const code = new Uint8Array(0x300).fill(0xf4);
  code.set(guestCode, GUEST);
  code.set(hostCode, HOST);
  code.set(handlerCode, HANDLER);
  const machine = createMachine({
    memorySize: 0x40_0000,
    image: elf(code, LOAD + HOST),
    imageName: 'hypercalls',
  });
  const { state, memory } = machine;
  state.cr4 |= Cr4.VMXE;
  state.vmxOperation = VmxOperation.ROOT;
  state.currentVmcs = VMCS;
  const u64 = (address: number, value: bigint) => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value, true);
    machine.writePhysical(address, bytes);
  };
  u64(VMCS, BigInt(VMCS_REVISION));
  const vmcs = new Vmcs(memory, VMCS);
  writeValidVmcs(vmcs);
  vmcs.write(Field.hostCr3, state.cr3);
  vmcs.write(Field.hostRip, BigInt(LOAD + HANDLER));
  vmcs.write(Field.hostRsp, BigInt(HOST_STACK));
  vmcs.write(Field.guestCr3, state.cr3);
  vmcs.write(Field.guestRip, BigInt(LOAD + GUEST));
  vmcs.write32(
    Field.primaryProcBasedControls,
    (vmcs.read32(Field.primaryProcBasedControls) | Primary.activateSecondaryControls) >>> 0,
  );
  vmcs.write32(Field.secondaryProcBasedControls, Secondary.enableEpt | Secondary.enableVpid);
  vmcs.write32(Field.virtualProcessorIdentifier, 1);
  vmcs.write(Field.eptPointer, BigInt(EPT) | (3n << 3n) | 6n);
  // Identity: 1 GByte in one page.
  u64(EPT, BigInt(EPT + 0x1000) | 7n);
  u64(EPT + 0x1000, 0x80n | 0x37n);
  const switches: WorldSwitch[] = [];
  machine.observers.onWorldSwitch = (event) => {
    switches.push(event);
    return false;
  };
  return { machine, switches };
}

describe('Hypercalls by machine code', () => {
  it('are answered one after the other, and every world switch is seen', () => {
    const { machine, switches } = createHost();
    const stop = machine.run(100_000);
    assert.deepEqual(stop, { kind: 'ended', end: { kind: 'halted' } });
    const exits = switches.filter(({ direction }) => direction === 'exit');
    const calls = exits.filter(({ exit }) => exit?.reason === ExitReason.VMCALL);
    assert.equal(calls.length, HYPERCALLS);
    assert.deepEqual(
      calls.map(({ registers }) => registers[0]),
      Array.from({ length: HYPERCALLS }, (_, i) => BigInt(3 * i)),
    );
    assert.equal(exits.at(-1)?.exit?.reason, ExitReason.CPUID);
    assert.equal(switches.length, 2 * (HYPERCALLS + 1));
    // What exits is not counted: 2 of the guest and 10 of the host for each call.
    const loops = 12 * HYPERCALLS;
    const before = ['vmlaunch', 'mov', 'xor'].length;
    const after = ['xor', 'mov', 'vmread', 'cmp', 'jne', 'hlt'].length;
    assert.equal(machine.position, before + loops + after);
    assert.equal(machine.state.csAccess & SegmentAccess.L, SegmentAccess.L);
    assert.equal(machine.readVmcs(VMCS, Field.exitReason.encoding), BigInt(ExitReason.CPUID));
  });

  it('stop where an observer asks, in the host with the guest’s registers told', () => {
    const { machine } = createHost();
    machine.observers.onWorldSwitch = ({ direction }) => direction === 'exit';
    const stop = machine.run(1000);
    assert.equal(stop.kind, 'worldSwitch');
    assert.equal(machine.world, 'root');
    assert.equal(machine.state.rip, BigInt(LOAD + HANDLER));
    machine.observers.onWorldSwitch = undefined;
    machine.setBreakpoints('guest', new Set([BigInt(LOAD + GUEST + 11)]));
    assert.deepEqual(machine.run(1000), {
      kind: 'breakpoint',
      world: 'guest',
      address: BigInt(LOAD + GUEST + 11),
    });
    assert.equal(machine.state.rax, 3n);
    assert.equal(machine.currentVmcs, VMCS);
  });
});
