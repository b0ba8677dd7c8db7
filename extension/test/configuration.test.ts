import assert from 'node:assert/strict';
import { configurationFor, findHandlers, isGuest, validate } from '../configuration.js';
import type { Files } from '../configuration.js';
import { check } from './check.js';

/** A file system of file names and contents. */
function filesOf(contents: Record<string, string>): Files {
  return {
    exists: (file) => Promise.resolve(file in contents),
    head: (file, length) => Promise.resolve(Buffer.from(contents[file] ?? '', 'latin1').subarray(0, length)),
  };
}

describe('launch configurations', () => {
  const guests = filesOf({
    '/g/kernel': '\x7fELF\x02',
    '/g/notes.txt': 'ELF',
    '/g/hello.S': '',
    '/g/a.c': '',
  });
  for (const [file, expect] of Object.entries({
    '/g/hello.S': true,
    '/g/a.c': true,
    '/g/kernel': true,
    '/g/notes.txt': false,
    '/g/missing': false,
  })) {
    it(`${file} is ${expect ? 'a' : 'no'} guest`, async () => {
      assert.equal(await isGuest(file, guests), expect);
    });
  }

  it('takes the handlers file of the same name, then handlers.c beside the guest, never the guest itself', async () => {
    const find = (program: string, ...names: string[]): Promise<string | undefined> =>
      findHandlers(program, filesOf(Object.fromEntries(names.map((name) => [name, '']))));
    assert.equal(await find('/g/a.S', '/g/a.handlers.c', '/g/handlers.c'), '/g/a.handlers.c');
    assert.equal(await find('/g/a.S', '/g/handlers.c'), '/g/handlers.c');
    assert.equal(await find('/g/a.S', '/handlers.c'), undefined);
    assert.equal(await find('/g/handlers.c', '/g/handlers.c'), undefined);
    assert.equal(await find('C:\\g\\a.S', 'C:\\g\\handlers.c'), 'C:\\g\\handlers.c');
  });

  it('F5 without launch.json leaves all else to the defaults', async () => {
    assert.deepEqual(await configurationFor('/g/hello.S', guests), {
      type: 'hyperstep',
      request: 'launch',
      name: 'Hyperstep: hello.S',
      program: '/g/hello.S',
    });
  });

  const fault = check('fault', validate);
  const program = '/g/hello.S';
  fault({ program, vcpus: 2, memory: '64M', mode: 'long', time: 'fast', modules: [] }, undefined);
  fault({}, '"program" is missing: the guest to debug (.S, .asm, .c or an ELF file).');
  fault({ program: '' }, '"program" must be a text, not "".');
  fault({ program, vcpus: 0 }, '"vcpus" must be a whole number from 1 to 63, not 0.');
  fault({ program, memory: '64 MB' }, '"memory" must be a size such as "64M", not "64 MB".');
  fault({ program, mode: 'real' }, '"mode" must be "long" or "protected", not "real".');
  fault({ program, modules: ['a', 1] }, '"modules" must be a list of texts, not ["a",1].');
});
