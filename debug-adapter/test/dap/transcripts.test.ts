/** What a client sees, scenario by scenario. Run with UPDATE_GOLDEN=1 to write the golden transcripts anew. */
import assert from 'node:assert/strict';
import type { Server } from 'node:net';
import path from 'node:path';
import type { DebugProtocol as P } from '@vscode/debugprotocol';
import { breakpointText, DebugScript } from './debugScript.js';
import { compareWithGolden } from './goldenFile.js';
import { root, serveAdapter } from './server.js';

const TIMEOUT_MS = 60_000;

const example = (file: string): string => path.join(root, 'examples', file);
const guest = (file: string): string => path.join(root, 'debug-adapter/test/dap/guests', file);

const HELLO = { program: example('hello/hello.S') };
const LOOP = { program: guest('loop.S') };
const RECURSION = { program: guest('recursion.c') };

describe('a session as a client sees it', function () {
  this.timeout(TIMEOUT_MS);
  let server: Server;
  let port: number;

  before(async () => {
    ({ server, port } = await serveAdapter());
  });
  after(() => {
    server.close();
  });

  function check(name: string, scenario: (debug: DebugScript) => Promise<void>): void {
    it(name, async () => {
      const debug = await DebugScript.connect(port);
      try {
        await scenario(debug);
      } catch (error) {
        throw new Error(`${String(error)}, after\n${debug.transcript}`, { cause: error });
      } finally {
        await debug.close();
      }
      compareWithGolden(name, debug.transcript);
    });
  }

  const stopAtHypercalls = (debug: DebugScript, condition?: string) => () =>
    debug.client.setExceptionBreakpointsRequest({
      filters: condition === undefined ? ['hypercalls'] : [],
      filterOptions: condition === undefined ? [] : [{ filterId: 'hypercalls', condition }],
    });

  check('through a hypercall and back', async (debug) => {
    await debug.launch(HELLO, stopAtHypercalls(debug));
    await debug.scope('Hypercall (before → now)', /./, '_start');
    await debug.hypercalls();
    await debug.move('stepIn');
    await debug.move('stepIn');
    await debug.scopeNames();
    await debug.evaluate('vcpu->vcpu_id');
    await debug.evaluate('rax', '_start');
    await debug.move('stepOut');
    await debug.move('stepOut');
    await debug.scope('Hypercall (before → now)', /./);
    await debug.hypercalls();
    await debug.move('continue');
  });

  check('over a hypercall', async (debug) => {
    await debug.launch(HELLO, () => debug.setBreakpoints(HELLO.program, [{ line: 12 }]));
    await debug.move('next');
    await debug.evaluate('rax');
    debug.say('by instructions the way into the host is one step');
    await debug.request('setBreakpoints', { source: { path: HELLO.program }, breakpoints: [] }, () => []);
    await debug.move('stepIn', { granularity: 'instruction' });
  });

  check('into a hypercall by instructions', async (debug) => {
    await debug.launch(HELLO, () => debug.setBreakpoints(HELLO.program, [{ line: 12 }]));
    await debug.move('stepIn', { granularity: 'instruction' });
    await debug.move('stepIn', { granularity: 'instruction' });
    debug.say('a line step from the middle of the exit leads to its handler');
    await debug.move('stepIn');
  });

  check('into a chosen function', async (debug) => {
    const own = { program: example('own-hypercall/own-hypercall.S') };
    const handlers = example('own-hypercall/handlers.c');
    await debug.launch({ ...own, handlers }, stopAtHypercalls(debug));
    const body = await debug.request<P.StepInTargetsResponse['body']>(
      'stepInTargets',
      { frameId: debug.frameId('_start') },
      ({ targets }) => targets.map(({ label }) => label),
    );
    await debug.move('stepIn', { targetId: body!.targets.at(-1)!.id });
    await debug.evaluate('a0 + a1');
    await debug.scope('Arguments', /^a/);
    await debug.move('stepOut');
    await debug.move('continue');
  });

  check('breakpoints on lines', async (debug) => {
    debug.say('a condition, a hit count, a log message, a line without code');
    await debug.launch(LOOP, () =>
      debug.setBreakpoints(LOOP.program, [
        { line: 6, condition: 'ecx == 8' },
        { line: 7, hitCondition: '4' },
        { line: 14, logMessage: 'round {ecx}, sum {sum}' },
        { line: 18 },
      ]),
    );
    await debug.evaluate('ecx');
    await debug.move('continue');
    await debug.evaluate('ecx');
    debug.say('a condition that cannot be evaluated stops and says why');
    await debug.setBreakpoints(LOOP.program, [{ line: 7, condition: 'nothing > 1' }]);
    await debug.move('continue');
    debug.say('all are taken back');
    await debug.setBreakpoints(LOOP.program, []);
    await debug.move('continue');
  });

  check('breakpoints without a line', async (debug) => {
    await debug.launch(LOOP, () =>
      debug.request<P.SetFunctionBreakpointsResponse['body']>(
        'setFunctionBreakpoints',
        { breakpoints: [{ name: 'add' }, { name: 'subtract' }] },
        ({ breakpoints }) => breakpoints.map(breakpointText),
      ),
    );
    await debug.request('setFunctionBreakpoints', { breakpoints: [] }, () => []);
    const info = await debug.request<P.DataBreakpointInfoResponse['body']>('dataBreakpointInfo', {
      name: 'sum',
      frameId: debug.frameId(),
    });
    await debug.request<P.SetDataBreakpointsResponse['body']>(
      'setDataBreakpoints',
      { breakpoints: [{ dataId: info!.dataId, accessType: 'write', condition: 'sum > 20' }] },
      ({ breakpoints }) => breakpoints.map(breakpointText),
    );
    await debug.move('continue');
    await debug.evaluate('sum');
    await debug.request('setDataBreakpoints', { breakpoints: [] }, () => []);
    const { body } = await debug.client.stackTraceRequest({ threadId: 1 });
    const { instructionPointerReference } = body.stackFrames[0];
    await debug.request<P.SetInstructionBreakpointsResponse['body']>(
      'setInstructionBreakpoints',
      { breakpoints: [{ instructionReference: instructionPointerReference }] },
      ({ breakpoints }) => breakpoints.map(breakpointText),
    );
    await debug.move('continue');
  });

  check('breakpoints on VM exits', async (debug) => {
    const exits = { program: example('cpuid-ports/cpuid-ports.S') };
    await debug.launch(exits, () =>
      debug.own(
        'hyperstep/setVmExitBreakpoints',
        {
          reasons: [
            { reason: 10, condition: 'eax == 0x40000001' },
            { reason: 30, hitCondition: '3' },
          ],
        },
        () => [],
      ),
    );
    await debug.evaluate('eax', 'print_next');
    await debug.move('continue');
    await debug.own('hyperstep/vmExits', {}, ({ reasons }) =>
      reasons.filter(({ count }) => count > 0).map(({ title, count }) => `${title}: ${count}`),
    );
  });

  check('stepping in C', async (debug) => {
    await debug.launch(RECURSION, () => debug.setBreakpoints(RECURSION.program, [{ line: 24 }]));
    await debug.move('stepIn');
    await debug.move('next');
    debug.say('over the recursive call: the same frame');
    await debug.move('next');
    await debug.scope('Locals', /./);
    await debug.scope('Arguments', /./);
    await debug.move('stepOut');
    await debug.move('next');
    await debug.evaluate('result');
  });

  check('out of assembly without frames', async (debug) => {
    await debug.launch(LOOP, () => debug.setBreakpoints(LOOP.program, [{ line: 16 }]));
    await debug.request('setBreakpoints', { source: { path: LOOP.program }, breakpoints: [] }, () => []);
    await debug.move('stepOut');
  });

  check('expressions', async (debug) => {
    await debug.launch(RECURSION, () => debug.setBreakpoints(RECURSION.program, [{ line: 26 }]));
    for (const expression of [
      'p->x',
      '*p',
      'corner.y * 2',
      'bytes',
      'bytes[2] + 1',
      '&corner == p',
      'sizeof(corner)',
      'result',
      '(char)65',
      '$rip == &_start',
      '$if',
      '$cs',
      'nothing',
      'p->z',
      '1 +',
      '*(int *)0',
    ]) {
      await debug.evaluate(expression);
    }
    debug.say('changed');
    await debug.evaluate('corner.x = 7', undefined, 'repl');
    await debug.evaluate('p->x');
    await debug.evaluate('$rbx = 0x1234', undefined, 'repl');
    const registers = await debug.scope('Registers', /^rbx$/);
    await debug.request('setVariable', { variablesReference: registers, name: 'rbx', value: '-1' });
    await debug.request('setVariable', { variablesReference: registers, name: 'rbx', value: 'much' });
    debug.say('decimal');
    await debug.own('hyperstep/setNumberFormat', { format: 'decimal' }, () => []);
    await debug.scope('Registers', /^rbx$/);
    await debug.request<P.CompletionsResponse['body']>(
      'completions',
      { text: 'p->', column: 4, frameId: debug.frameId() },
      ({ targets }) => targets.map(({ label }) => label),
    );
  });

  check('memory and disassembly', async (debug) => {
    const strings = { program: guest('strings.S') };
    await debug.launch(strings, () => debug.setBreakpoints(strings.program, [{ line: 8 }]));
    debug.say('a repeated instruction is one step');
    await debug.move('next');
    const { body } = await debug.client.evaluateRequest({
      expression: '&copy',
      frameId: debug.frameId(),
      context: 'watch',
    });
    const memoryReference = body.memoryReference!;
    const text = ({ data }: { data?: string }) => Buffer.from(data ?? '', 'base64').toString();
    await debug.request('readMemory', { memoryReference, count: 6 }, text);
    await debug.request('writeMemory', {
      memoryReference,
      offset: 1,
      data: Buffer.from('TR').toString('base64'),
    });
    await debug.request('readMemory', { memoryReference, count: 6 }, text);
    const { stackFrames } = (await debug.client.stackTraceRequest({ threadId: 1 })).body;
    await debug.request<{ instructions: P.DisassembledInstruction[] }>(
      'disassemble',
      {
        memoryReference: stackFrames[0].instructionPointerReference,
        instructionOffset: -3,
        instructionCount: 5,
      },
      ({ instructions }) =>
        instructions.map(({ instruction, line, instructionBytes, symbol }) =>
          [instructionBytes, instruction, symbol && `<${symbol}>`, line && `line ${line}`]
            .filter(Boolean)
            .join('  '),
        ),
    );
  });

  check('a blocked guest', async (debug) => {
    const program = example('sleeping/sleeping.S');
    const handlers = example('sleeping/handlers.c');
    await debug.launch({ program, handlers, vcpus: 2, time: 'real' }, () =>
      debug.setBreakpoints(program, [{ line: 36 }]),
    );
    await debug.threads();
    await debug.hypercalls();
    await debug.request<P.StackTraceResponse['body']>('stackTrace', { threadId: 1 }, ({ stackFrames }) =>
      stackFrames.filter(({ presentationHint }) => presentationHint !== 'subtle').map(({ name }) => name),
    );
  });

  check('an endless guest', async (debug) => {
    await debug.launch({ program: guest('spin.S') }, () =>
      debug.setBreakpoints(guest('spin.S'), [{ line: 4, hitCondition: '1000' }]),
    );
    await debug.evaluate('rax');
    await debug.setBreakpoints(guest('spin.S'), []);
    await debug.whileRunning(() => debug.client.pauseRequest({ threadId: 1 }));
    await debug.request('terminate', {});
  });

  check('restart keeps breakpoints', async (debug) => {
    await debug.launch(LOOP, () => debug.setBreakpoints(LOOP.program, [{ line: 9 }]));
    await debug.evaluate('sum');
    const stopped = debug.client.waitForEvent('stopped');
    await debug.request('restart', {});
    await stopped;
    await debug.move('next');
    await debug.evaluate('sum');
  });

  check('registers of a guest at a VM exit', async (debug) => {
    await debug.launch(HELLO, stopAtHypercalls(debug));
    const registers = await debug.scope('Registers', /^(rax|rcx)$/, '_start');
    await debug.request('setVariable', { variablesReference: registers, name: 'rcx', value: '0x1234' });
    await debug.request('setVariable', { variablesReference: registers, name: 'rcx', value: 'rcx + 1' });
    await debug.evaluate('$rbx = 0x55', '_start', 'repl');
    await debug.scope('Hypercall (before → now)', /R[BC]X/, '_start');
    debug.say('the guest goes on with them');
    await debug.move('next');
    await debug.evaluate('rcx');
    await debug.evaluate('rbx');
  });

  check('a breakpoint where another kind stops', async (debug) => {
    debug.say('the log point behind the watched instruction is not lost');
    await debug.launch(LOOP, () => debug.setBreakpoints(LOOP.program, [{ line: 14 }]));
    await debug.setBreakpoints(LOOP.program, [{ line: 15, logMessage: 'sum {sum}' }]);
    const info = await debug.request<P.DataBreakpointInfoResponse['body']>('dataBreakpointInfo', {
      name: 'sum',
      frameId: debug.frameId(),
    });
    await debug.request<P.SetDataBreakpointsResponse['body']>(
      'setDataBreakpoints',
      { breakpoints: [{ dataId: info!.dataId, accessType: 'read', condition: 'sum > 20' }] },
      ({ breakpoints }) => breakpoints.map(breakpointText),
    );
    await debug.move('continue');
    debug.say('nor when a step ends on it');
    await debug.request('setDataBreakpoints', { breakpoints: [] }, () => []);
    await debug.setBreakpoints(LOOP.program, [{ line: 8, logMessage: 'back with {ecx}' }]);
    await debug.move('next');
    debug.say('a log message that cannot be evaluated stops and says why');
    await debug.setBreakpoints(LOOP.program, [{ line: 8, logMessage: '{nothing}' }]);
    await debug.move('continue');
    await debug.move('continue');
  });

  check('handlers reloaded between the choice of one and the step into it', async (debug) => {
    const program = example('own-hypercall/own-hypercall.S');
    const handlers = example('own-hypercall/handlers.c');
    await debug.launch({ program, handlers }, stopAtHypercalls(debug));
    const body = await debug.request<P.StepInTargetsResponse['body']>(
      'stepInTargets',
      { frameId: debug.frameId('_start') },
      ({ targets }) => targets.map(({ label }) => label),
    );
    await debug.own('hyperstep/reloadHandlers', {}, ({ handlers: all }) =>
      all.map(({ nr, name }) => `${nr}: ${name}`),
    );
    await debug.move('stepIn', { targetId: body!.targets.at(-1)!.id });
  });

  check('a guest that faults', async (debug) => {
    await debug.launch({ program: guest('fault.S') }, () =>
      debug.client.setExceptionBreakpointsRequest({ filters: ['guestExceptions', 'fatal'] }),
    );
    await debug.request('exceptionInfo', { threadId: 1 });
    await debug.move('continue');
    await debug.request('exceptionInfo', { threadId: 1 });
    await debug.move('continue');
    await debug.request('exceptionInfo', { threadId: 1 });
    await debug.evaluate('rbx', '_start');
  });

  check('a host that fails VM entry', async (debug) => {
    const program = example('broken-vmcs/broken-vmcs.S');
    await debug.launch({ program, host: 'none' }, () =>
      debug.client.setExceptionBreakpointsRequest({ filters: ['fatal'] }),
    );
    await debug.request<P.ExceptionInfoResponse['body']>('exceptionInfo', { threadId: 1 }, (body) => [
      body.exceptionId,
      ...(body.description ?? '').split('\n'),
    ]);
  });

  it('a request is answered before the stop that it leads to is told', async () => {
    const debug = await DebugScript.connect(port);
    const order: string[] = [];
    await debug.launch(LOOP, () => debug.setBreakpoints(LOOP.program, [{ line: 6 }]));
    debug.client.on('stopped', () => order.push('stopped'));
    const stopped = debug.client.waitForEvent('stopped');
    await debug.client.nextRequest({ threadId: 1 }).then(() => order.push('answered'));
    await stopped;
    await debug.close();
    // VS Code takes the answer for "running": a stop told before it would be forgotten.
    assert.deepEqual(order, ['answered', 'stopped']);
  });

  check('launches that cannot be', async (debug) => {
    for (const args of [
      { program: guest('two-errors.S') },
      { program: guest('no-start.S') },
      { program: guest('broken.c') },
      { program: guest('missing.S') },
      { program: guest('text.elf') },
      { ...HELLO, handlers: guest('duplicate.c') },
      { ...HELLO, handlers: guest('missing.c') },
      { ...HELLO, handlers: guest('no-handler.c') },
      { ...HELLO, vcpus: 0 },
      { ...HELLO, memory: '64Q' },
      { ...HELLO, mode: 'virtual' as 'long' },
      { ...HELLO, host: guest('missing.elf') },
    ]) {
      const session = await DebugScript.connect(port);
      await session.launch(args);
      await session.close();
      debug.adopt(session);
    }
  });
});
