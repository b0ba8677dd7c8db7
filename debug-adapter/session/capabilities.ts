/** What the adapter can do: the body of the `initialize` response. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { exceptionFilters } from '../breakpoints/filters.js';

export const capabilities: DebugProtocol.Capabilities = {
  supportsConfigurationDoneRequest: true,
  supportsFunctionBreakpoints: true,
  supportsConditionalBreakpoints: true,
  supportsHitConditionalBreakpoints: true,
  supportsLogPoints: true,
  supportsInstructionBreakpoints: true,
  supportsDataBreakpoints: true,
  supportsBreakpointLocationsRequest: true,
  supportsExceptionFilterOptions: true,
  supportsExceptionOptions: false,
  supportsExceptionInfoRequest: true,
  exceptionBreakpointFilters: [...exceptionFilters],
  supportsEvaluateForHovers: true,
  supportsSetVariable: true,
  supportsSetExpression: true,
  supportsClipboardContext: true,
  supportsCompletionsRequest: true,
  completionTriggerCharacters: ['$', '.', '>'],
  supportsSteppingGranularity: true,
  supportsStepInTargetsRequest: true,
  supportsDisassembleRequest: true,
  supportsReadMemoryRequest: true,
  supportsWriteMemoryRequest: true,
  supportsLoadedSourcesRequest: true,
  supportsRestartRequest: true,
  supportsTerminateRequest: true,
  supportsSingleThreadExecutionRequests: false,
};
