/** Entry point of the `hyperstep` command. */
import { fileURLToPath } from 'node:url';
import { isFailed, prepareLaunch } from '../debug-adapter/launch/prepareLaunch.js';
import { formatDiagnostic } from '../toolchain/diagnostic.js';
import { platformNode } from '../toolchain/platformNode.js';
import type { CommandLine } from './arguments.js';
import { parseCommandLine, USAGE, UsageError } from './arguments.js';
import { execute, ExitStatus } from './execute.js';
import { countExits } from './exits.js';
import type { Report } from './report.js';
import { traceHypercalls } from './trace.js';
import { showVmcs } from './vmcs.js';

/** What each command observes, and prints when the run is over. */
const REPORTS: Readonly<Record<CommandLine['command'], (command: CommandLine) => Report | undefined>> = {
  run: () => undefined,
  trace: () => traceHypercalls,
  exits: () => countExits,
  vmcs: ({ atEntry }) => showVmcs(atEntry),
};

async function main(words: readonly string[]): Promise<number> {
  const command = parseCommandLine(words);
  if (!command) {
    console.log(USAGE);
    return ExitStatus.DONE;
  }
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
    { platform: platformNode, installFolder: installFolder() },
  );
  for (const diagnostic of isFailed(launch) ? launch.diagnostics : launch.warnings) {
    process.stderr.write(`${formatDiagnostic(diagnostic)}\n`);
  }
  if (isFailed(launch)) return ExitStatus.FAILED;

  const { machine } = launch;
  // What a report prints goes to standard output; then the console must not mix with it.
  const serialOutput = command.command === 'run' ? process.stdout : process.stderr;
  machine.observers.onSerialOutput = (port, byte) => {
    (port === 0 ? serialOutput : process.stderr).write(Uint8Array.of(byte));
  };
  const report = REPORTS[command.command](command)?.(
    launch,
    (line) => process.stdout.write(`${line}\n`),
    command.json,
  );
  const outcome = await execute(launch, command, report?.isDone);
  report?.finish();
  if (outcome.explanation !== undefined) process.stderr.write(`hyperstep: ${outcome.explanation}\n`);
  return outcome.status;
}

/** dist/cli.cjs lies one level below the installation, this source file too. */
function installFolder(): string {
  return fileURLToPath(new URL('..', import.meta.url));
}

// Whoever reads the output may stop reading: `hyperstep trace guest.S | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(ExitStatus.DONE);
  throw error;
});

main(process.argv.slice(2)).then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    if (error instanceof UsageError) console.error(`hyperstep: ${error.message} (see hyperstep --help)`);
    else console.error(error);
    process.exitCode = error instanceof UsageError ? ExitStatus.USAGE : ExitStatus.FAILED;
  },
);
