/**
 * Lays out VS Code's own server outside the repository, from the npm package code-server. None of its install scripts
 * is run: they build native libraries that only the terminal needs.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

/** VS Code 1.100.3: the newest that runs on Node 20. */
const VERSION = '4.100.3';
const RIPGREP_VERSION = '1.18.0';

const CACHE = process.env.HYPERSTEP_VSCODE_CACHE ?? path.join(homedir(), '.cache', 'hyperstep-vscode');

/** Answers the folder of a ready server, laying it out (about half a minute, 280 MB) when it is not there yet. */
export function codeServer(): string {
  const folder = path.join(CACHE, `code-server-${VERSION}`);
  if (existsSync(folder)) return folder;
  console.log(`Laying out code-server ${VERSION} in ${folder} ...`);
  // Built beside and renamed: an interrupted layout never looks like a ready one.
  const unfinished = `${folder}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  try {
    unpack(`code-server@${VERSION}`, unfinished, unfinished, { strip: 3, members: ['package/lib/vscode'] });
    // The versions come from the package's npm-shrinkwrap.json, which `npm ci` refuses.
    npm(unfinished, 'install', '--omit=dev');
    addRipgrep(unfinished);
    replaceWatchdogs(unfinished);
    symlinkSync('node_modules', path.join(unfinished, 'node_modules.asar'));
    renameSync(unfinished, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return folder;
}

/** `rg` is otherwise downloaded from GitHub by an install script. */
function addRipgrep(server: string): void {
  const bin = path.join(server, 'node_modules', '@vscode', 'ripgrep', 'bin');
  if (existsSync(path.join(bin, 'rg'))) return;
  const platformPackage = `@vscode/ripgrep-${process.platform}-${process.arch}@${RIPGREP_VERSION}`;
  unpack(platformPackage, server, bin, { strip: 2, members: ['package/bin/rg'] });
}

/** The native watchdog only ends orphaned extension hosts; the harness ends the whole process group itself. */
function replaceWatchdogs(server: string): void {
  for (const name of ['native-watchdog', '@vscode/native-watchdog']) {
    const module = path.join(server, 'node_modules', name);
    const release = path.join(module, 'build', 'Release');
    if (!existsSync(module) || existsSync(release)) continue;
    mkdirSync(release, { recursive: true });
    writeFileSync(path.join(release, 'watchdog.js'), 'exports.start = () => {};\n');
  }
}

function unpack(
  packageName: string,
  work: string,
  destination: string,
  { strip, members }: { strip: number; members: string[] },
): void {
  npm(work, 'pack', packageName, '--silent');
  const archive = readdirSync(work).find((name) => name.endsWith('.tgz'));
  if (archive === undefined) throw new Error(`npm pack ${packageName} left no archive in ${work}`);
  mkdirSync(destination, { recursive: true });
  execFileSync('tar', [
    'xzf',
    path.join(work, archive),
    '-C',
    destination,
    `--strip-components=${strip}`,
    ...members,
  ]);
  rmSync(path.join(work, archive));
}

function npm(folder: string, ...words: string[]): void {
  execFileSync('npm', [...words, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}
