/** Golden transcripts: written anew by UPDATE_GOLDEN=1, and read as diffs. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = new URL('golden/', import.meta.url);

export function compareWithGolden(name: string, transcript: string): void {
  const file = fileURLToPath(new URL(`${name.replaceAll(' ', '-')}.txt`, folder));
  if (process.env.UPDATE_GOLDEN) {
    mkdirSync(fileURLToPath(folder), { recursive: true });
    writeFileSync(file, transcript);
  }
  assert.equal(transcript, readFileSync(file, 'utf8'), `${file} (UPDATE_GOLDEN=1 writes it anew)`);
}
