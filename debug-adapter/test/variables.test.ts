import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { platformNode } from '../../toolchain/platformNode.js';
import { Debuggee } from '../debuggee/debuggee.js';
import { isFailed, prepareLaunch } from '../launch/prepareLaunch.js';
import type { CodeFrame } from '../stack/frame.js';
import { Stacks } from '../stack/stack.js';
import { completions } from '../variables/completions.js';
import { dataTarget } from '../variables/dataTarget.js';
import { evaluate } from '../variables/evaluate.js';
import type { FrameContext } from '../variables/frameContext.js';
import { parseNumber } from '../variables/numberFormat.js';
import { dwarfRegisterName, dwarfRegisterNumber, unwoundRegisters } from '../variables/registerFile.js';
import { accessText } from '../variables/registerText.js';
import { scopesOf } from '../variables/scopes.js';
import { setExpression, setVariable } from '../variables/setVariable.js';
import { VariableStore } from '../variables/store.js';
import { hypercallsView } from '../views/hypercallsView.js';
import { registersView } from '../views/registersView.js';
import { ViewState } from '../views/viewState.js';
import { setVmcsField, vmcsView } from '../views/vmcsView.js';
import { vmExitsView } from '../views/vmExitsView.js';

const installFolder = fileURLToPath(new URL('../../', import.meta.url)).replace(/[/\\]$/, '');

// Hypercall 5 (KVM_HC_KICK_CPU) with an argument in each register, then a loop.
const GUEST = `
	.globl _start
_start:
	movq $1, %rax
	movq $0x1122334455667788, %rbx
	movq $0x33, %rcx
	movq $0x44, %rdx
	movq $0x55, %rsi
	vmcall
after:	jmp after
	.data
	.globl counter
counter: .quad 7
`;

interface Stopped {
  readonly debuggee: Debuggee;
  readonly stacks: Stacks;
  readonly store: VariableStore;
}

async function launched(folder: string): Promise<Stopped> {
  const program = join(folder, 'guest.S');
  writeFileSync(program, GUEST);
  const launch = await prepareLaunch({ program }, { platform: platformNode, installFolder });
  if (isFailed(launch)) throw new Error(launch.diagnostics.map(({ message }) => message).join('\n'));
  const debuggee = new Debuggee(launch, installFolder);
  return { debuggee, stacks: new Stacks(debuggee), store: new VariableStore() };
}

/** Runs until the first hypercall has left the guest, or until it has come back. */
function runToCall({ debuggee, stacks, store }: Stopped, direction: 'exit' | 'entry'): void {
  debuggee.machine.observers.onWorldSwitch = (event) => {
    debuggee.observe(event);
    if (event.direction !== direction || debuggee.log.length === 0) return false;
    return debuggee.log.unanswered.length > 0 === (direction === 'exit');
  };
  const stop = debuggee.machine.run(500_000_000);
  assert.equal(stop.kind, 'worldSwitch');
  stacks.invalidate();
  store.invalidate();
}

const contextOf = ({ debuggee, stacks }: Stopped, frame?: CodeFrame): FrameContext => ({
  debuggee,
  frame: frame ?? stacks.topOf(stacks.currentThread.id)!,
});

function guestContext(stopped: Stopped): FrameContext {
  return contextOf(stopped, stopped.stacks.guestFramesOf(stopped.stacks.currentThread.id)[0]);
}

describe('variables of a stopped machine', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hyperstep-variables-'));
  after(() => rmSync(folder, { recursive: true }));
  let stopped: Stopped;

  before(async () => {
    stopped = await launched(folder);
    runToCall(stopped, 'exit');
  });

  const rows = (context: FrameContext, scope: string) => {
    const found = scopesOf(context, stopped.store).find(({ name }) => name === scope);
    assert.ok(found, `no scope ${scope}`);
    return { reference: found.variablesReference, rows: stopped.store.variables(found) };
  };
  const valueOf = (context: FrameContext, scope: string, name: string): string | undefined =>
    rows(context, scope).rows.find((row) => row.name === name)?.value;
  const check = (expression: string, expected: string, context = guestContext(stopped)): void =>
    assert.equal(evaluate({ expression, context: 'watch' }, context, stopped.store).result, expected);
  const refuses = (expression: string, message: RegExp, where = 'watch'): void => {
    const context = guestContext(stopped);
    assert.throws(() => evaluate({ expression, context: where }, context, stopped.store), message);
  };

  it('puts the open hypercall first, before and now', () => {
    const context = guestContext(stopped);
    const [first] = scopesOf(context, stopped.store);
    assert.equal(first.name, 'Hypercall (before → now)');
    assert.equal(first.expensive, false);
    const shown = stopped.store.variables(first).map(({ name, value }) => `${name} ${value}`);
    assert.deepEqual(shown, [
      'hypercall 0x1 KVM_HC_VAPIC_POLL_IRQ',
      'RAX 0x1 → 0x1',
      'RBX 0x1122334455667788 → 0x1122334455667788',
      'RCX 0x33 → 0x33',
      'RDX 0x44 → 0x44',
      'RSI 0x55 → 0x55',
      'result not answered yet',
    ]);
  });

  it('shows the guest behind a VM exit, in parts and in decimal', () => {
    const context = guestContext(stopped);
    assert.equal(context.frame.world, 'guest');
    assert.equal(valueOf(context, 'Registers', 'rbx'), '0x1122334455667788');
    check('ebx', '0x55667788');
    check('bh', '0x77');
    check('$rcx + rdx', '0x77');
    check('*(long *)&counter', '0x7');
    check('counter == 7 && counter[0] == 7', '0x1');
    check('*(int *)&counter + 1', '0x8');
    const symbol = evaluate({ expression: 'counter', context: 'hover' }, context, stopped.store);
    assert.equal(symbol.result, '0x7');
    assert.match(symbol.memoryReference!, /^guest:0x/);
    const watched = (name: string) => dataTarget({ name }, stopped.store, () => context);
    assert.match(JSON.stringify(watched('rax')), /rax is a register/);
    const target = watched('counter');
    assert.ok(typeof target !== 'string' && target.size === 8);
    assert.match(JSON.stringify(watched('missing')), /no symbol/);
    check('*(unsigned long *)&counter + 1', '0x8');
    check('vmcs.exitReason', '0x12');
    check('vmcs.GUEST_RIP == rip', '0x1');
    const decimal = new VariableStore();
    decimal.format = 'decimal';
    assert.equal(evaluate({ expression: 'rcx' }, context, decimal).result, '51');
    assert.equal(evaluate({ expression: 'rcx', format: { hex: true } }, context, decimal).result, '0x33');
  });

  it('says why it does not evaluate', () => {
    refuses('nothing_of_that_name', /no symbol "nothing_of_that_name"/);
    refuses('counter++', /./, 'hover');
    refuses('counter = 1', /an assignment belongs in/, 'clipboard');
    refuses('', /an expression is missing/);
  });

  it('decodes control registers, and their bits can be set', () => {
    const context = guestContext(stopped);
    const cr0 = rows(context, 'Control').rows.find(({ name }) => name === 'cr0')!;
    assert.match(cr0.type!, /\bPE\b.*\bPG\b/);
    const bits = { variablesReference: cr0.variablesReference, name: 'AM' };
    const before = BigInt(cr0.value);
    setVariable({ ...bits, value: '1' }, stopped.store);
    assert.equal(valueOf(context, 'Control', 'cr0'), `0x${(before | (1n << 18n)).toString(16)}`);
    setVariable({ ...bits, value: '0' }, stopped.store);
    assert.throws(
      () => setVariable({ ...bits, value: '2' }, stopped.store),
      /does not fit AM: it has 1 bits/,
    );
  });

  it('writes flags, fields of the VMCS and segments of a guest that does not run', () => {
    const context = guestContext(stopped);
    const flags = rows(context, 'Flags').reference;
    setVariable({ variablesReference: flags, name: 'CF', value: '1' }, stopped.store);
    check('vmcs.guestRflags & 1', '0x1');
    assert.equal(valueOf(context, 'Flags', 'CF'), '1');
    const set = setExpression({ expression: 'vmcs.tscOffset', value: '0x10 * 2' }, context, stopped.store);
    assert.equal(set.value, '0x20');
    check('vmcs.tscOffset', '0x20');
    const [es] = rows(context, 'Segments').rows;
    assert.match(es.value, /base 0x0, limit 0xffffffff, data, read\/write/);
    assert.throws(
      () => setVariable({ variablesReference: flags, name: 'XX', value: '1' }, stopped.store),
      /XX/,
    );
  });

  it('shows the host in C: arguments, pointers with members, and paging of arrays', () => {
    const { machine } = stopped.debuggee;
    const info = stopped.debuggee.launch.host!.debugInfo;
    const entry = info.functionsNamed('kvm_emulate_hypercall')[0].bodyStart;
    machine.setBreakpoints('root', new Set([entry]));
    assert.equal(machine.run(10_000_000).kind, 'breakpoint');
    machine.setBreakpoints('root', new Set());
    stopped.stacks.invalidate();
    const context = contextOf(stopped);
    assert.equal(context.frame.name, 'kvm_emulate_hypercall');
    assert.equal(valueOf(context, 'Hypercall (before → now)', 'RCX'), '0x33 → 0x33');
    const [vcpu] = rows(context, 'Arguments').rows;
    assert.equal(`${vcpu.type} ${vcpu.name}`, 'struct kvm_vcpu *vcpu'.replace('*vcpu', '* vcpu'));
    const members = stopped.store.variables(vcpu);
    const arch = members.find(({ name }) => name === 'arch')!;
    assert.equal(arch.evaluateName, 'vcpu->arch');
    const regs = stopped.store.variables(arch).find(({ name }) => name === 'regs')!;
    const page = stopped.store.variables({ ...regs, filter: 'indexed', start: 1, count: 2 });
    assert.deepEqual(
      page.map(({ name, value, evaluateName }) => `${name} ${value} ${evaluateName}`),
      ['[1] 0x33 vcpu->arch.regs[1]', '[2] 0x44 vcpu->arch.regs[2]'],
    );
    const element = { name: '[2]', variablesReference: regs.variablesReference };
    const place = dataTarget(element, stopped.store, () => context);
    assert.ok(typeof place !== 'string' && place.size === 8);
    const changed = setVariable(
      { variablesReference: regs.variablesReference, name: '[2]', value: 'vcpu->arch.regs[1] + 1' },
      stopped.store,
    );
    assert.equal(changed.value, '0x34');
    assert.equal(valueOf(context, 'Hypercall (before → now)', 'RDX'), '0x44 → 0x34');
    const labels = completions({ text: 'vcpu->ar', column: 9 }, context).map(({ label }) => label);
    assert.deepEqual(labels, ['arch']);
    assert.ok(completions({ text: '$rf', column: 4 }, context).some(({ label }) => label === 'rflags'));
    assert.ok(completions({ text: 'x + kvm_emul', column: 13 }, context).length >= 1);
    const caller = stopped.stacks.hostStackOf(context.debuggee.machine.currentVmcs!)[1];
    const outer = contextOf(stopped, caller);
    assert.throws(
      () => evaluate({ expression: '$rbx = 1', context: 'repl' }, outer, stopped.store),
      /cannot be changed/,
    );
  });

  it('refuses handles of an earlier stop', () => {
    const { reference } = rows(contextOf(stopped), 'Registers');
    stopped.store.invalidate();
    assert.throws(() => stopped.store.variables({ variablesReference: reference }), /earlier stop/);
  });

  it('fills the views', () => {
    const { debuggee, stacks, store } = stopped;
    const views = new ViewState();
    views.remember(debuggee);
    const before = hypercallsView(debuggee, { start: 0, count: 10 }, (vmcs) => stacks.hostStackOf(vmcs));
    assert.deepEqual([before.total, before.unanswered], [1, [0]]);
    const [call] = before.calls;
    assert.deepEqual([call.nr, call.after, call.vcpu, call.kind], ['0x1', null, 0, 'kvm']);
    assert.equal(call.source?.line, 9);
    assert.equal(call.handler?.name, 'kvm_emulate_hypercall');
    assert.match(call.handler.file!, /x86\.c$/);

    // The host goes on after its page tables and a segment were set anew.
    for (const register of ['cr3', 'cr0', 'dsaccess']) {
      const expression = `$${register} = $${register}`;
      evaluate({ expression, context: 'repl' }, contextOf(stopped), store);
    }
    runToCall(stopped, 'entry');
    const after = hypercallsView(debuggee, { start: -5, count: 10 }, () => []);
    assert.deepEqual([after.total, after.unanswered], [1, []]);
    assert.equal(after.calls[0].after?.rdx, '0x34');
    const context = contextOf(stopped);
    assert.equal(valueOf(context, 'Hypercall (before → now)', 'RDX'), '0x44 → 0x34');

    const { world, groups } = registersView(context, store, views);
    assert.equal(world, 'guest');
    const row = (name: string) =>
      groups.flatMap(({ registers }) => registers).find((one) => one.name === name)!;
    assert.deepEqual([row('rip').changed, row('rcx').changed], [true, false]);
    setVariable({ variablesReference: row('rcx').variablesReference!, name: 'rcx', value: '0x99' }, store);
    assert.equal(debuggee.machine.state.rcx, 0x99n);

    const vmcs = debuggee.machine.currentVmcs!;
    const fields = vmcsView(debuggee, vmcs, views).groups.flatMap((group) => group.fields);
    const primary = fields.find(({ name }) => name === 'primaryProcBasedControls')!;
    assert.ok(primary.bits.some(({ implemented }) => !implemented));
    assert.deepEqual(setVmcsField(debuggee, vmcs, { encoding: 0x2010, value: '-1' }, undefined), {
      value: '0xffffffffffffffff',
    });
    assert.throws(() => setVmcsField(debuggee, vmcs, { encoding: 0x7777, value: '1' }, undefined), /0x7777/);
    assert.throws(
      () => setVmcsField(debuggee, vmcs, { encoding: 0x800, value: '0x10000' }, undefined),
      /16 bits/,
    );

    const exits = vmExitsView(debuggee.exitCounts, (reason) => reason === 18);
    const vmcall = exits.reasons.find(({ reason }) => reason === 18)!;
    assert.deepEqual([vmcall.count, vmcall.breakpoint], [1, true]);
    assert.ok(vmcall.virtualNs > 0);
  });
});

describe('registers by name', () => {
  it('numbers them as the System V ABI does', () => {
    assert.deepEqual([1, 2, 6, 7, 16, 49].map((number) => dwarfRegisterName(number, 64)), [
      'rdx', 'rcx', 'rbp', 'rsp', 'rip', 'rflags',
    ]); // prettier-ignore
    assert.deepEqual([1, 2, 4, 5, 8].map((number) => dwarfRegisterName(number, 32)), [
      'ecx', 'edx', 'esp', 'ebp', 'eip',
    ]); // prettier-ignore
    assert.equal(dwarfRegisterNumber('r15', 64), 15);
    assert.equal(dwarfRegisterName(17, 64), undefined);
  });

  it('does not claim registers that unwinding lost', () => {
    const base = { read: () => ({ value: 5n, bits: 64 }), write: () => true };
    const registers = unwoundRegisters(base, new Map([[3, 0xabcdn]]), 64);
    assert.equal(registers.read('bl')?.value, 0xcdn);
    assert.equal(registers.read('rax'), undefined);
    assert.equal(registers.read('cr3')?.value, 5n);
    assert.equal(registers.write('rbx', 1n), false);
  });

  it('reads numbers as users write them', () => {
    const check = (text: string, expected: bigint | undefined): void =>
      assert.equal(parseNumber(text), expected);
    check('42', 42n);
    check('-1', -1n);
    check('0xFFff_0000', 0xffff0000n);
    check('0b101', 5n);
    check('55aah', 0x55aan);
    check('0x', undefined);
    check('rax', undefined);
  });

  it('decodes access rights', () => {
    const check = (access: number, expected: string): void => assert.equal(accessText(access), expected);
    check(0xa09b, 'code, execute/read, 64-bit, DPL 0');
    check(0xc0f3, 'data, read/write, 32-bit, DPL 3');
    check(0x8b, 'busy TSS, DPL 0');
    check(0x10000, 'unusable');
  });
});
