/** The requests of a running session with the types of their arguments and bodies, and the way events go out. */
import type { DebugProtocol as P } from '@vscode/debugprotocol';
import type { HyperstepEvents, HyperstepRequests } from '../protocol.js';

interface DapRequests {
  threads: { arguments: Record<string, never>; body: P.ThreadsResponse['body'] };
  stackTrace: { arguments: P.StackTraceArguments; body: P.StackTraceResponse['body'] };
  scopes: { arguments: P.ScopesArguments; body: P.ScopesResponse['body'] };
  variables: { arguments: P.VariablesArguments; body: P.VariablesResponse['body'] };
  setVariable: { arguments: P.SetVariableArguments; body: P.SetVariableResponse['body'] };
  setExpression: { arguments: P.SetExpressionArguments; body: P.SetExpressionResponse['body'] };
  evaluate: { arguments: P.EvaluateArguments; body: P.EvaluateResponse['body'] };
  completions: { arguments: P.CompletionsArguments; body: P.CompletionsResponse['body'] };
  setBreakpoints: { arguments: P.SetBreakpointsArguments; body: P.SetBreakpointsResponse['body'] };
  setFunctionBreakpoints: {
    arguments: P.SetFunctionBreakpointsArguments;
    body: P.SetFunctionBreakpointsResponse['body'];
  };
  setInstructionBreakpoints: {
    arguments: P.SetInstructionBreakpointsArguments;
    body: P.SetInstructionBreakpointsResponse['body'];
  };
  setDataBreakpoints: {
    arguments: P.SetDataBreakpointsArguments;
    body: P.SetDataBreakpointsResponse['body'];
  };
  setExceptionBreakpoints: {
    arguments: P.SetExceptionBreakpointsArguments;
    body: P.SetExceptionBreakpointsResponse['body'];
  };
  dataBreakpointInfo: {
    arguments: P.DataBreakpointInfoArguments;
    body: P.DataBreakpointInfoResponse['body'];
  };
  breakpointLocations: {
    arguments: P.BreakpointLocationsArguments;
    body: P.BreakpointLocationsResponse['body'];
  };
  configurationDone: { arguments: P.ConfigurationDoneArguments; body: void };
  continue: { arguments: P.ContinueArguments; body: P.ContinueResponse['body'] };
  next: { arguments: P.NextArguments; body: void };
  stepIn: { arguments: P.StepInArguments; body: void };
  stepOut: { arguments: P.StepOutArguments; body: void };
  stepInTargets: { arguments: P.StepInTargetsArguments; body: P.StepInTargetsResponse['body'] };
  pause: { arguments: P.PauseArguments; body: void };
  exceptionInfo: { arguments: P.ExceptionInfoArguments; body: P.ExceptionInfoResponse['body'] };
  disassemble: { arguments: P.DisassembleArguments; body: P.DisassembleResponse['body'] };
  readMemory: { arguments: P.ReadMemoryArguments; body: P.ReadMemoryResponse['body'] };
  writeMemory: { arguments: P.WriteMemoryArguments; body: P.WriteMemoryResponse['body'] };
  source: { arguments: P.SourceArguments; body: P.SourceResponse['body'] };
  loadedSources: { arguments: P.LoadedSourcesArguments; body: P.LoadedSourcesResponse['body'] };
}

/** Command to arguments and body. */
export type Requests = DapRequests & HyperstepRequests;

/** Sends events to the client. */
export interface Outbox {
  event<Name extends keyof HyperstepEvents>(name: Name, body: HyperstepEvents[Name]): void;
  event(name: 'output', body: P.OutputEvent['body']): void;
  event(name: 'stopped', body: P.StoppedEvent['body']): void;
  event(name: 'thread', body: P.ThreadEvent['body']): void;
  event(name: 'breakpoint', body: P.BreakpointEvent['body']): void;
  event(name: 'invalidated', body: P.InvalidatedEvent['body']): void;
  event(name: 'exited', body: P.ExitedEvent['body']): void;
  event(name: 'terminated' | 'initialized', body: Record<string, never>): void;
}
