/** The table of requests: each is handed to the part that answers it. Nothing is decided here. */
import { dataBreakpointInfo } from '../breakpoints/dataBreakpoints.js';
import { disassemble } from '../disassembly/disassemble.js';
import { explainEnd, explainEntryFailure } from '../explain/ends.js';
import { explainRaisedFault } from '../explain/failure.js';
import { exceptionName } from '../explain/faults.js';
import { reloadHandlers } from '../handlers/reload.js';
import { readMemory } from '../memory/readMemory.js';
import { writeMemory } from '../memory/writeMemory.js';
import { runFreely } from '../runner/plan.js';
import type { Granularity } from '../stepping/stepper.js';
import { completions } from '../variables/completions.js';
import { evaluate } from '../variables/evaluate.js';
import { isAssignable } from '../variables/registerExpression.js';
import { scopesOf } from '../variables/scopes.js';
import { setExpression, setVariable } from '../variables/setVariable.js';
import type { FrameContext } from '../variables/frameContext.js';
import { dataTarget } from '../variables/dataTarget.js';
import { hypercallsView } from '../views/hypercallsView.js';
import { registersView } from '../views/registersView.js';
import { traceVmcs } from '../vmexits/vmcsTrace.js';
import { otherViolations, vmEntryRow } from '../views/vmEntryRow.js';
import { setVmcsField, vmcsView } from '../views/vmcsView.js';
import { vmExitsView } from '../views/vmExitsView.js';
import type { ActiveSession } from './activeSession.js';
import { RequestError } from './requestError.js';
import type { Requests } from './requests.js';
import { stackTraceBody } from './stackTrace.js';

type Handlers = {
  readonly [Command in keyof Requests]: (
    session: ActiveSession,
    args: Requests[Command]['arguments'],
  ) => Requests[Command]['body'] | Promise<Requests[Command]['body']>;
};

const frameContext = (session: ActiveSession, frameId: number | undefined): FrameContext => ({
  debuggee: session.debuggee,
  frame: session.codeFrame(frameId),
});

/** World and guest that an address without one is meant in: those of the thread on the processor. */
function addressContext(session: ActiveSession) {
  const { world, vmcs } = session.codeFrame(undefined);
  return { world, vmcs: vmcs ?? session.stacks.currentThread.vmcs };
}

const granularityOf = (granularity: string | undefined): Granularity =>
  granularity === 'instruction' ? 'instruction' : 'line';

export const sessionRequests: Handlers = {
  configurationDone: (session) => session.start(),

  // Breakpoints
  setBreakpoints: (session, args) =>
    session.changeBreakpoints((all) => ({ breakpoints: all.setSource(args) })),
  setFunctionBreakpoints: (session, args) =>
    session.changeBreakpoints((all) => ({ breakpoints: all.setFunctions(args) })),
  setInstructionBreakpoints: (session, args) =>
    session.changeBreakpoints((all) => ({ breakpoints: all.setInstructions(args) })),
  setDataBreakpoints: (session, args) =>
    session.changeBreakpoints((all) => ({ breakpoints: all.setData(args) })),
  setExceptionBreakpoints: (session, args) =>
    session.changeBreakpoints((all) => ({ breakpoints: all.setExceptions(args) })),
  'hyperstep/setVmExitBreakpoints': (session, args) =>
    session.changeBreakpoints((all) => {
      all.setVmExits(args.reasons);
      return {};
    }),
  dataBreakpointInfo: (session, args) =>
    dataBreakpointInfo(dataTarget(args, session.store, () => frameContext(session, args.frameId))),
  breakpointLocations: (session, args) => ({ breakpoints: session.breakpoints.locations(args) }),

  // Moving
  continue: (session) => {
    session.resume(runFreely);
    return { allThreadsContinued: true };
  },
  next: (session, args) =>
    session.resume(session.stepper.next(args.threadId, granularityOf(args.granularity))),
  stepIn: (session, args) => {
    const target = session.stepTargets.find(({ id }) => id === args.targetId);
    session.resume(session.stepper.stepIn(args.threadId, granularityOf(args.granularity), target));
  },
  stepOut: (session, args) => session.resume(session.stepper.stepOut(args.threadId)),
  stepInTargets: (session, args) => {
    session.stepTargets = session.stepper.targets(session.codeFrame(args.frameId));
    return { targets: session.stepTargets.map(({ id, label }) => ({ id, label })) };
  },
  pause: (session) => session.runner.pause(),

  // Looking
  threads: (session) => ({ threads: session.stacks.threads.map(({ id, name }) => ({ id, name })) }),
  stackTrace: (session, args) =>
    stackTraceBody(session.stacks.of(args.threadId), args, {
      placeOf: (frame) => session.sources.placeOf(frame),
      codeReference: (frame) => session.codeReference(frame),
    }),
  scopes: (session, args) => {
    const frame = session.stacks.frame(args.frameId);
    // VS Code asks once more about the frame of the stop before, and would show an error in red until it has the new one.
    if (frame?.kind !== 'code') return { scopes: [] };
    return { scopes: scopesOf(frameContext(session, args.frameId), session.store) };
  },
  variables: (session, args) => ({ variables: session.store.variables(args) }),
  setVariable: (session, args) => {
    const body = setVariable(args, session.store);
    session.valueChanged();
    return body;
  },
  setExpression: (session, args) => {
    const body = setExpression(args, frameContext(session, args.frameId), session.store);
    session.valueChanged();
    return body;
  },
  evaluate: (session, args) => {
    const body = evaluate(args, frameContext(session, args.frameId), session.store);
    if (!isAssignable(args.expression)) session.valueChanged();
    return body;
  },
  completions: (session, args) => ({
    targets: completions(args, session.runner.running ? undefined : frameContext(session, args.frameId)),
  }),
  exceptionInfo: (session) => exceptionInfo(session),
  disassemble: (session, args) => ({
    instructions: disassemble(session.debuggee, args, addressContext(session), session.generations),
  }),
  readMemory: (session, args) => readMemory(session.debuggee, args, addressContext(session)),
  writeMemory: (session, args) => writeMemory(session.debuggee, args, addressContext(session)),
  source: (session, args) => session.sources.content(args),
  loadedSources: (session) => ({ sources: session.sources.loaded() }),

  // Views
  'hyperstep/hypercalls': (session, args) =>
    hypercallsView(session.debuggee, args, (vmcs) => session.hostStackOf(vmcs)),
  'hyperstep/registers': (session, args) =>
    registersView(frameContext(session, session.frameIdFor(args)), session.store, session.views),
  'hyperstep/vmExits': (session) =>
    vmExitsView(session.debuggee.exitCounts, (reason) => session.breakpoints.hasVmExit(reason)),
  'hyperstep/vmcs': (session, args) =>
    vmcsView(session.debuggee, session.vmcsOf(args.threadId), session.views),
  'hyperstep/setVmcsTrace': (session, { enabled }) => {
    traceVmcs(session.debuggee, enabled, (output) =>
      session.outbox.event('output', { category: 'console', output }),
    );
    return {};
  },
  'hyperstep/setVmcsField': (session, args) => {
    const body = setVmcsField(
      session.debuggee,
      session.vmcsOf(args.threadId),
      args,
      frameContext(session, session.frameIdFor(args)),
    );
    session.valueChanged();
    return body;
  },
  'hyperstep/setNumberFormat': (session, args) => {
    session.store.format = args.format;
    session.outbox.event('invalidated', { areas: ['variables'] });
    return {};
  },
  'hyperstep/reloadHandlers': (session) => reload(session),
};

function exceptionInfo({ lastCause, debuggee }: ActiveSession): Requests['exceptionInfo']['body'] {
  const { ended } = debuggee.machine;
  if (lastCause?.entryFailure) {
    const { entryFailure } = lastCause;
    const others = otherViolations(vmEntryRow(debuggee.machine, entryFailure.vmcs));
    return {
      exceptionId: entryFailure.check,
      description: [explainEntryFailure(entryFailure), ...others].join('\n'),
      breakMode: 'always',
    };
  }
  if (lastCause?.fault) {
    return {
      exceptionId: exceptionName(lastCause.fault.fault.vector),
      description: explainRaisedFault(debuggee, lastCause.fault),
      breakMode: 'always',
    };
  }
  if (ended) return { exceptionId: ended.kind, description: explainEnd(ended), breakMode: 'always' };
  if (lastCause?.text) {
    const exceptionId = lastCause.description ?? lastCause.reason;
    return { exceptionId, description: lastCause.text, breakMode: 'always' };
  }
  throw new RequestError('the machine did not stop at an exception');
}

async function reload(session: ActiveSession): Promise<Requests['hyperstep/reloadHandlers']['body']> {
  const result = await reloadHandlers(session.debuggee, session.services.platform);
  const diagnostics = result.kind === 'failed' ? result.diagnostics : result.handlers.warnings;
  session.outbox.event('hyperstep/diagnostics', { diagnostics: [...diagnostics] });
  if (result.kind === 'failed') {
    const [{ file, line, message }] = result.diagnostics;
    throw new RequestError(`${file}:${line}: ${message}`);
  }
  session.changeBreakpoints((all) => all.imagesChanged());
  return { handlers: result.handlers.hypercalls.map(({ nr, name }) => ({ nr: Number(nr), name })) };
}
