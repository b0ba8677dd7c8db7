/** The `hyperstep` command, apart from the process that it runs in. */
import { isFailed, prepareLaunch } from '../debug-adapter/launch/prepareLaunch.js';
import { formatDiagnostic } from '../toolchain/diagnostic.js';
import { platformNode } from '../toolchain/platformNode.js';
import type { CommandLine } from './arguments.js';
import { parseCommandLine, USAGE, UsageError } from './arguments.js';
import { execute, ExitStatus } from './execute.js';
import { countExits } from './exits.js';
import type { Report } from './report.js';
import { traceHypercalls } from './trace.js';
import { showVmcs, traceVmcsAccesses } from './vmcs.js';

/** Where the command writes. */
export interface Output {
  stdout(text: string | Uint8Array): void;
  stderr(text: string | Uint8Array): void;
}

/** What each command observes, and prints when the run is over. */
const REPORTS: Readonly<Record<CommandLine['command'], (command: CommandLine) => Report | undefined>> = {
  run: () => undefined,
  trace: () => traceHypercalls,
  exits: () => countExits,
  vmcs: ({ atEntry, accesses }) => (accesses ? traceVmcsAccesses : showVmcs(atEntry)),
};

/**
 * Runs the words behind `hyperstep`; answers the exit status. `installFolder` holds dist/hypervisors and
 * hypervisors/include.
 */
export async function runCommand(
  words: readonly string[],
  installFolder: string,
  output: Output,
): Promise<number> {
  let command: CommandLine | undefined;
  try {
    command = parseCommandLine(words);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    output.stderr(`hyperstep: ${error.message} (see hyperstep --help)\n`);
    return ExitStatus.USAGE;
  }
  if (command) return runProgram(command, installFolder, output);
  output.stdout(`${USAGE}\n`);
  return ExitStatus.DONE;
}

async function runProgram(command: CommandLine, installFolder: string, output: Output): Promise<number> {
  const launch = await prepareLaunch(
    {
      program: command.program,
      host: command.host,
      handlers: command.handlers,
      vcpus: command.vcpus,
      memory: command.memory,
      mode: command.mode,
      modules: [...command.modules],
      append: command.append,
    },
    { platform: platformNode, installFolder, checkCompiler: command.checkCompiler },
  );
  for (const diagnostic of isFailed(launch) ? launch.diagnostics : launch.warnings) {
    output.stderr(`${formatDiagnostic(diagnostic)}\n`);
  }
  if (isFailed(launch)) return ExitStatus.FAILED;

  // What a report prints goes to standard output; then the console must not mix with it.
  const console = command.command === 'run' ? output.stdout : output.stderr;
  launch.machine.observers.onSerialOutput = (port, byte) => {
    (port === 0 ? console : output.stderr)(Uint8Array.of(byte));
  };
  const print = (line: string): void => output.stdout(`${line}\n`);
  const report = REPORTS[command.command](command)?.(launch, print, command.json);
  const outcome = await execute(launch, command, report?.isDone);
  report?.finish();
  if (outcome.explanation !== undefined) output.stderr(`hyperstep: ${outcome.explanation}\n`);
  return outcome.status;
}
