import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

/** Guests that only these tests need. */
export const guests = path.join(root, 'extension', 'test', 'guests');

/** The packaged extension; the tests use it as a user would. */
export function vsix(): string {
  const file = process.env.HYPERSTEP_VSIX ?? path.join(root, 'hyperstep.vsix');
  if (!existsSync(file)) throw new Error(`${file} is missing: run "npm run package" first.`);
  return file;
}
