/** Builds and prepares what a launch request names, with progress and diagnostics sent along. */
import type { HyperstepLaunchArguments } from '../protocol.js';
import type { PreparedLaunch } from '../launch/prepareLaunch.js';
import { isFailed, prepareLaunch } from '../launch/prepareLaunch.js';
import type { Diagnostic } from '../../toolchain/diagnostic.js';
import { formatDiagnostic } from '../../toolchain/diagnostic.js';
import type { SessionServices } from './services.js';
import { RequestError } from './requestError.js';
import type { Outbox } from './requests.js';

/** Throws a RequestError with the first error's place and message when it cannot be built. */
export async function launchDebuggee(
  args: HyperstepLaunchArguments,
  services: SessionServices,
  outbox: Outbox,
): Promise<PreparedLaunch> {
  const title = `Building ${args.program.replace(/^.*[/\\]/, '')}`;
  outbox.event('hyperstep/build', { phase: 'begin', title });
  try {
    const launch = await prepareLaunch(args, services);
    const diagnostics = isFailed(launch) ? launch.diagnostics : launch.warnings;
    outbox.event('hyperstep/diagnostics', { diagnostics: diagnostics.map(toProtocol) });
    if (isFailed(launch)) {
      for (const diagnostic of diagnostics) {
        outbox.event('output', { category: 'stderr', output: `${formatDiagnostic(diagnostic)}\n` });
      }
      throw new RequestError(formatDiagnostic(firstError(diagnostics)), true);
    }
    return launch;
  } finally {
    outbox.event('hyperstep/build', { phase: 'end', title });
  }
}

const firstError = (diagnostics: readonly Diagnostic[]): Diagnostic =>
  diagnostics.find(({ severity }) => severity === 'error') ?? diagnostics[0];

function toProtocol({ severity, file, line, column, endColumn, message }: Diagnostic) {
  return { severity, file, line, column, endColumn, message };
}
