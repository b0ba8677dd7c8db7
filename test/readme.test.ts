/** What README says of options and attributes is complete. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { COMMANDS, USAGE } from '../cli/arguments.js';
import { ROOT } from './runGuest.js';

const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');
const README = read('README.md');

interface Manifest {
  readonly contributes: {
    readonly debuggers: readonly {
      readonly configurationAttributes: {
        readonly launch: { readonly properties: Readonly<Record<string, { readonly default?: unknown }>> };
      };
    }[];
  };
}

describe('README', () => {
  it('has every command and option of the command line, and no other option', () => {
    for (const command of COMMANDS) assert.match(README, new RegExp(`^npx hyperstep ${command} `, 'm'));
    const options = (text: string): string[] => [...new Set(text.match(/--[a-z][a-z-]*/g))].toSorted();
    const section = README.slice(README.indexOf('## Command line'), README.indexOf('## Determinism'));
    assert.deepEqual(
      options(section),
      options(USAGE).filter((option) => option !== '--help'),
    );
  });

  it('has a row for each attribute of launch.json', () => {
    const manifest = JSON.parse(read('package.json')) as Manifest;
    const { properties } = manifest.contributes.debuggers[0].configurationAttributes.launch;
    const rows = [...README.matchAll(/^\| `([A-Za-z]+)` \|/gm)].map(([, name]) => name);
    assert.deepEqual(rows.toSorted(), Object.keys(properties).toSorted());
  });

  it('links to files that are there', () => {
    for (const file of ['README.md', 'examples/README.md', 'ARCHITECTURE.md']) {
      for (const [, target] of read(file).matchAll(/\]\(([^)#:]+)\)/g)) {
        assert.ok(existsSync(path.join(ROOT, path.dirname(file), target)), `${file}: ${target}`);
      }
    }
  });
});
