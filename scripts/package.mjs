// Packages hyperstep.vsix: what users install. It holds all that a session needs, the host's sources included.
import console from 'node:console';
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { createVSIX } from '@vscode/vsce';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
await import('./build.mjs');

const required = ['dist/hypervisors/kvm.elf', 'examples', 'README.md', 'LICENSE', 'CHANGELOG.md'];
const missing = required.filter((file) => !existsSync(path.join(root, file)));
if (missing.length > 0) {
  console.error(`The package would not work without ${missing.join(', ')}.`);
  process.exit(1);
}
await createVSIX({
  cwd: root,
  packagePath: path.join(root, 'hyperstep.vsix'),
  dependencies: false,
  allowMissingRepository: true,
  // There is no repository on the web that relative links of the README could lead to.
  rewriteRelativeLinks: false,
});
