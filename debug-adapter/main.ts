/** Entry point of the debug adapter: DAP over standard input and output, or over TCP with --port for development. */
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { enableBranchHints } from '../toolchain/branchHints.js';
import { platformNode } from '../toolchain/platformNode.js';
import { HyperstepSession } from './session/hyperstepSession.js';
import type { SessionServices } from './session/services.js';

enableBranchHints();

const services: SessionServices = {
  platform: platformNode,
  // dist/debugAdapter.cjs lies one level below the installation, this source file too.
  installFolder: process.env.HYPERSTEP_ROOT ?? fileURLToPath(new URL('..', import.meta.url)),
  pacing: {
    now: () => performance.now(),
    wait: (milliseconds) =>
      new Promise((resolve) => {
        if (milliseconds <= 0) setImmediate(resolve);
        else setTimeout(resolve, milliseconds);
      }),
  },
};

const portAt = process.argv.indexOf('--port');
if (portAt >= 0) {
  const server = createServer((socket) => {
    const session = new HyperstepSession(services);
    session.setRunAsServer(true);
    session.start(socket, socket);
  });
  server.listen(Number(process.argv[portAt + 1]), '127.0.0.1');
} else {
  const session = new HyperstepSession(services);
  process.on('SIGTERM', () => session.shutdown());
  session.start(process.stdin, process.stdout);
}
