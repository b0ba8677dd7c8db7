// Objects of our assembler against those of GNU as: sections, relocations and symbols.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { assembleObject } from '../assembler/assemble.js';
import { formatDiagnostic } from '../diagnostic.js';
import { readObject } from '../elf/objectFile.js';
import { writeObject } from '../elf/writeObject.js';
import { objectDifferences } from './gnu/objects.js';

const SOURCES = fileURLToPath(new URL('fixtures/objects', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'hyperstep-objects-'));
const ours = path.join(folder, 'ours.o');
const theirs = path.join(folder, 'theirs.o');

function check(file: string, bits: 32 | 64): void {
  const fileName = path.join(SOURCES, file);
  execFileSync('as', [`--${bits}`, '-W', fileName, '-o', theirs]);
  const source = readFileSync(fileName, 'utf8');
  const made = assembleObject({ fileName, source, bits, readInclude: () => undefined });
  assert.deepEqual(made.diagnostics.map(formatDiagnostic), []);
  const expected = readObject(file, readFileSync(theirs));
  assert.deepEqual(objectDifferences(made.object!, expected), []);
  // The file that we write says the same, and binutils find no fault with it.
  const written = writeObject(made.object!);
  assert.deepEqual(objectDifferences(readObject(file, written), expected), []);
  writeFileSync(ours, written);
  const listed = (object: string): string =>
    execFileSync('objdump', ['-dr', object], { encoding: 'utf8' }).replace(/^.*file format/m, '');
  assert.equal(listed(ours), listed(theirs));
  assert.equal(spawnSync('readelf', ['-aW', ours], { encoding: 'utf8' }).stderr, '');
}

describe('assembler: objects against GNU as', () => {
  before(function () {
    if (spawnSync('as', ['--version']).status !== 0) this.skip();
  });
  after(() => rmSync(folder, { recursive: true }));

  for (const file of readdirSync(SOURCES)) it(file, () => check(file, file.includes('32') ? 32 : 64));
});
