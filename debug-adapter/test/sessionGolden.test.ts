import { check } from './session/golden.js';
import type { Script } from './session/golden.js';
import { example, fixture } from './session/transcript.js';

const counting = fixture('counting.S');
const HYPERCALL = 'Hypercall (before → now)';

const scripts: Readonly<Record<string, Script>> = {
  async mainJob(session) {
    await session.launch({ program: example('hello/hello.S') }, () =>
      session.ask('setExceptionBreakpoints', { filters: ['hypercalls'] }),
    );
    await session.stack();
    await session.scopes({ [HYPERCALL]: /./, Flags: /[CZ]F/ });
    session.note('into the host');
    await session.move('stepIn');
    await session.move('stepIn');
    await session.stack();
    await session.scopes({ [HYPERCALL]: /./ });
    session.note('and back');
    await session.move('stepOut');
    await session.move('stepOut');
    await session.stack();
    await session.scopes({ [HYPERCALL]: /./, Registers: /RAX/ });
    await session.hypercalls();
    await session.move('continue');
  },

  async stepping(session) {
    await session.launch({ program: counting, stopOnEntry: true });
    session.note('by line: over a call, into it, out of it');
    await session.move('next');
    await session.move('next');
    await session.move('next');
    await session.move('next');
    await session.move('next');
    await session.move('stepIn');
    await session.move('stepOut');
    session.note('over a VMCALL, which runs the host');
    await session.breakpoints(counting, { vmcall: {} });
    await session.move('continue');
    await session.stack();
    await session.stepInTargets();
    await session.move('next');
    session.note('into the target that was chosen, and by instruction back');
    await session.move('next');
    await session.stepInTargets();
    await session.move('stepIn', { targetId: 1 });
    await session.move('stepOut');
    await session.move('stepOut');
    await session.move('stepIn', { granularity: 'instruction' });
    await session.move('next', { granularity: 'instruction' });
  },

  async breakpoints(session) {
    await session.launch({ program: counting }, async () => {
      await session.breakpoints(counting, {
        'movl	%ecx, counter': { condition: '$ecx == 2' },
        'cmpl	$5': { hitCondition: '% 2', logMessage: 'counted to {$ecx}, counter {counter}' },
        hlt: { condition: 'no_such_name' },
      });
      await session.ask('setFunctionBreakpoints', {
        breakpoints: [
          { name: 'add_one', hitCondition: '4' },
          { name: 'kvm_emulate_hypercall' },
          { name: 'nothing' },
        ],
      });
    });
    session.note('function breakpoints');
    await session.move('continue');
    await session.move('continue');
    session.note('instruction and data breakpoints');
    await session.ask('setFunctionBreakpoints', { breakpoints: [] });
    await session.move('restart');
    await session.instructionBreakpoint(0);
    await session.dataBreakpoint('counter', 'write');
    await session.move('continue');
    await session.move('continue');
    await session.dataBreakpoint('counter', 'read');
    await session.move('continue');
    session.note('a condition that cannot be evaluated stops once and says why');
    await session.move('continue');
    await session.move('continue');
  },

  async exitBreakpoints(session) {
    await session.launch({ program: counting }, async () => {
      await session.ask('setExceptionBreakpoints', {
        filters: [],
        filterOptions: [{ filterId: 'hypercalls', condition: '$rax == 12345' }],
      });
      await session.ask('hyperstep/setVmExitBreakpoints', {
        reasons: [{ reason: 12, logMessage: 'HLT at {$rip}' }],
      });
    });
    await session.move('continue');
    session.note('by hit count, from the VM Exits view');
    await session.ask('setExceptionBreakpoints', { filters: [] });
    await session.ask('hyperstep/setVmExitBreakpoints', { reasons: [{ reason: 18, hitCondition: '2' }] });
    await session.move('restart');
    await session.hypercalls();
  },
};

describe('transcripts of debugging sessions', () => {
  for (const [name, script] of Object.entries(scripts)) {
    it(name, () => check(script, name));
  }
});
