/** The language server as a process of Node. */
import { createConnection, ProposedFeatures } from 'vscode-languageserver/node';
import { platformNode } from '../toolchain/platformNode.js';
import { startServer } from './server.js';
import { synchronousFiles } from './workspace/sourceFiles.js';

startServer(createConnection(ProposedFeatures.all), {
  files: synchronousFiles((file) => platformNode.readFileSync(file)),
  platform: platformNode,
});
