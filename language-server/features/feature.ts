import type { ProtocolRequestType, ServerCapabilities } from 'vscode-languageserver';
import type { Workspace } from '../workspace/workspace.js';

/** One thing that the server can do: the request that it answers and what it tells the client of it. */
export interface Feature<Parameters, Result> {
  readonly method: string;
  readonly capabilities: ServerCapabilities;
  answer(workspace: Workspace, parameters: Parameters): Result;
}

/** Defines a feature with the parameters and the result that the protocol gives its request. */
export function feature<Parameters, Result, PartialResult, Failure, Options>(
  type: ProtocolRequestType<Parameters, Result, PartialResult, Failure, Options>,
  capabilities: ServerCapabilities,
  answer: (workspace: Workspace, parameters: Parameters) => Result,
): Feature<Parameters, Result> {
  return { method: type.method, capabilities, answer };
}
