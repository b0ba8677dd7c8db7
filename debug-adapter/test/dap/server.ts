/** The debug adapter in this process, behind a port of its own, for clients of a test. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { platformNode } from '../../../toolchain/platformNode.js';
import { HyperstepSession } from '../../session/hyperstepSession.js';
import type { SessionServices } from '../../session/services.js';

export const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Idle time passes at once where a script does not ask for real time. */
const services: SessionServices = {
  platform: platformNode,
  installFolder: root,
  pacing: {
    now: () => performance.now(),
    wait: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  },
};

/** Answers the server and its port. Each connection is a session. */
export async function serveAdapter(): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => {
    const session = new HyperstepSession(services);
    session.setRunAsServer(true);
    session.start(socket, socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}
