import assert from 'node:assert/strict';
import { ExitReason } from '../../emulator/vmx/exitReasons.js';
import type { Debuggee } from '../debuggee/debuggee.js';
import { disassemble } from '../disassembly/disassemble.js';
import { instructionReference } from '../disassembly/instructionReference.js';
import { readMemory } from '../memory/readMemory.js';
import { writeMemory } from '../memory/writeMemory.js';
import { installFolder, launchDebuggee, runToSwitch } from './disassemblyDebuggee.js';

const MEMORY = 64 * 2 ** 20;
const base64 = (bytes: string | Uint8Array): string => Buffer.from(bytes).toString('base64');

describe('memory requests', () => {
  let debuggee: Debuggee;
  let context: { world: 'guest'; vmcs: number };

  before(async () => {
    const program = `${installFolder}/examples/hello/hello.S`;
    debuggee = await launchDebuggee({ program, memory: '64M' });
    const { vmcs } = runToSwitch(debuggee, ({ exit }) => exit?.reason === ExitReason.VMCALL);
    context = { world: 'guest', vmcs };
  });

  const greeting = (): bigint => debuggee.launch.guest.debugInfo.symbolNamed('greeting')!.address;
  const read = (memoryReference: string, count: number, offset?: number) =>
    readMemory(debuggee, { memoryReference, count, offset }, context);
  const reference = (address: bigint): string => `guest:0x${address.toString(16)}`;

  it('reads the guest through its own page tables while the host runs', () => {
    const body = read(reference(greeting()), 4, 6);
    assert.deepEqual(body, { address: `0x${(greeting() + 6n).toString(16)}`, data: base64('from') });
  });

  it('reads the host by a reference that names its world', () => {
    const symbol = debuggee.launch.host!.debugInfo.symbolNamed('hyperstep_host')!;
    const { data } = read(`root:0x${symbol.address.toString(16)}`, 8);
    assert.equal(Buffer.from(data!, 'base64').toString('latin1'), 'stephost');
  });

  it('counts what cannot be read behind the end of memory', () => {
    const body = read(`guest:0x${(MEMORY - 4).toString(16)}`, 0x2000);
    assert.equal(Buffer.from(body.data!, 'base64').length, 4);
    assert.equal(body.unreadableBytes, 0x2000 - 4);
  });

  it('writes what it reads', () => {
    const text = 'Howdy';
    const args = { memoryReference: reference(greeting()), data: base64(text) };
    assert.deepEqual(writeMemory(debuggee, args, context), { bytesWritten: text.length });
    assert.equal(read(reference(greeting()), text.length).data, base64(text));
  });

  it('writes all or nothing, unless a part is allowed', () => {
    const args = { memoryReference: `guest:0x${(MEMORY - 2).toString(16)}`, data: base64('abcd') };
    assert.throws(() => writeMemory(debuggee, args, context), /nothing written: .* 0x4000000/);
    assert.equal(read(args.memoryReference, 2).data, base64(Uint8Array.of(0, 0)));
    assert.deepEqual(writeMemory(debuggee, { ...args, allowPartial: true }, context), { bytesWritten: 2 });
  });

  it('disassembles with places, symbols and bytes, by references with a generation', () => {
    const start = debuggee.launch.guest.debugInfo.symbolNamed('_start')!.address;
    const memoryReference = instructionReference('guest', start, 3);
    const args = { memoryReference, instructionCount: 4 };
    const instructions = disassemble(debuggee, args, { world: 'root', vmcs: context.vmcs });
    const [first, , , vmcall] = instructions;
    assert.equal(first.symbol, '_start');
    assert.match(first.location?.path ?? '', /examples[/\\]hello[/\\]hello\.S$/);
    assert.equal(vmcall.instruction, 'vmcall');
    assert.equal(vmcall.instructionBytes, '0f 01 c1');
    assert.equal(vmcall.line, debuggee.launch.guest.debugInfo.lineAt(BigInt(vmcall.address))!.line);
  });

  it('names a reference that is none', () => {
    assert.throws(() => read('nonsense', 1), /"nonsense"/);
    assert.throws(() => writeMemory(debuggee, { memoryReference: '0', data: '*' }, context), /base64/);
  });
});
