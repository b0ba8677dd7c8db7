/** Compares transcripts with those that were read and found right; UPDATE_GOLDEN=1 writes them anew. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { Transcript } from './transcript.js';
import { installFolder } from './client.js';

export type Script = (session: Transcript) => Promise<void>;

/** Runs a script; what it wrote down must be the golden file `test/golden/<name>.txt`. */
export async function check(script: Script, name: string): Promise<void> {
  const file = `${installFolder}/debug-adapter/test/golden/${name}.txt`;
  const session = new Transcript();
  await script(session);
  if (process.env.UPDATE_GOLDEN) writeFileSync(file, session.text);
  const expected = existsSync(file) ? readFileSync(file, 'utf8') : '';
  assert.equal(session.text, expected);
}
