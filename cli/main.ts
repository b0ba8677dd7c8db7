/** Entry point of the `hyperstep` command. */
import { fileURLToPath } from 'node:url';
import { enableBranchHints } from '../toolchain/branchHints.js';
import { runCommand } from './command.js';
import { ExitStatus } from './execute.js';

enableBranchHints();

/** dist/cli.cjs lies one level below the installation, this source file too. */
const installFolder = fileURLToPath(new URL('..', import.meta.url));

// Whoever reads the output may stop reading: `hyperstep trace guest.S | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(ExitStatus.DONE);
  throw error;
});

const output = {
  stdout: (text: string | Uint8Array) => void process.stdout.write(text),
  stderr: (text: string | Uint8Array) => void process.stderr.write(text),
};

runCommand(process.argv.slice(2), installFolder, output).then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    console.error(error);
    process.exitCode = ExitStatus.FAILED;
  },
);
