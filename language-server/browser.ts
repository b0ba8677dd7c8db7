/** The language server as a web worker: files come from the client. */
import { BrowserMessageReader, BrowserMessageWriter, createConnection } from 'vscode-languageserver/browser';
import { READ_FILE } from './protocol.js';
import { startServer } from './server.js';
import { AsynchronousFiles } from './workspace/sourceFiles.js';
import { uriOfFile } from './workspace/uris.js';

// The global of a dedicated worker, which the library takes for its messages.
const worker = self as unknown as ConstructorParameters<typeof BrowserMessageReader>[0];
const connection = createConnection(new BrowserMessageReader(worker), new BrowserMessageWriter(worker));

startServer(connection, {
  files: new AsynchronousFiles(async (file) => {
    const base64 = await connection.sendRequest<string | null>(READ_FILE, { uri: uriOfFile(file) });
    return base64 === null ? undefined : Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  }),
  platform: undefined,
});
