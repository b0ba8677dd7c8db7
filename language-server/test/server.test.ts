/** The server as its client sees it: messages in, messages out. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { pathToFileURL } from 'node:url';
import type { Diagnostic, InitializeResult, PublishDiagnosticsParams } from 'vscode-languageserver';
import { createConnection, StreamMessageReader, StreamMessageWriter } from 'vscode-languageserver/node';
import { createMessageConnection } from 'vscode-languageserver/node';
import type { MessageConnection } from 'vscode-languageserver/node';
import { findCompiler } from '../../toolchain/compilers/findCompiler.js';
import { platformNode } from '../../toolchain/platformNode.js';
import { COMPILED_SOURCE_SAVED, SOURCE_CHANGED } from '../protocol.js';
import { startServer } from '../server.js';
import { synchronousFiles } from '../workspace/sourceFiles.js';
import { root } from './check.js';

const PATIENCE_MS = 10_000;

class Client {
  readonly published = new Map<string, Diagnostic[]>();
  private readonly connection: MessageConnection;
  private waiting: (() => void)[] = [];

  constructor() {
    const toServer = new PassThrough();
    const toClient = new PassThrough();
    this.connection = createMessageConnection(
      new StreamMessageReader(toClient),
      new StreamMessageWriter(toServer),
    );
    this.connection.onNotification('textDocument/publishDiagnostics', (told: PublishDiagnosticsParams) => {
      this.published.set(told.uri, told.diagnostics);
      for (const wake of this.waiting.splice(0)) wake();
    });
    this.connection.onRequest('workspace/inlayHint/refresh', () => null);
    this.connection.listen();
    startServer(createConnection(new StreamMessageReader(toServer), new StreamMessageWriter(toClient)), {
      files: synchronousFiles((file) => platformNode.readFileSync(file)),
      platform: platformNode,
    });
  }

  ask<Result>(method: string, parameters: unknown): Promise<Result> {
    return this.connection.sendRequest(method, parameters);
  }

  tell(method: string, parameters: unknown): void {
    void this.connection.sendNotification(method, parameters);
  }

  open(uri: string, text: string): void {
    this.tell('textDocument/didOpen', {
      textDocument: { uri, languageId: 'hyperstep-gas', version: 1, text },
    });
  }

  /** Waits until the messages of a document are as wanted. */
  async until(uri: string, isRight: (messages: readonly string[]) => boolean): Promise<void> {
    const messages = (): string[] => (this.published.get(uri) ?? []).map(({ message }) => String(message));
    const end = Date.now() + PATIENCE_MS;
    while (!this.published.has(uri) || !isRight(messages())) {
      if (Date.now() > end) assert.fail(`${uri} has ${messages().join(' | ') || 'no diagnostics'}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 500);
        this.waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  end(): void {
    this.connection.dispose();
  }
}

describe('the server', () => {
  let client: Client;
  let folder: string;
  const file = (name: string): string => path.join(folder, name);
  const uri = (name: string): string => pathToFileURL(file(name)).toString();
  const write = (name: string, text: string): void => writeFileSync(file(name), text);

  beforeEach(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'hyperstep-language-'));
    write('main.S', '#include "part.S"\n\t.globl _start\n_start:\n\tcall print\n');
    write('part.S', '\t.macro put\n\tmovl $NUMBER, %eax\n\t.endm\nprint:\n\tret\n');
    client = new Client();
    const { capabilities } = await client.ask<InitializeResult>('initialize', {
      processId: null,
      rootUri: null,
      capabilities: {},
      initializationOptions: {
        includeFolders: [path.join(root, 'hypervisors', 'include')],
        settings: {},
        sources: ['main.S', 'part.S'].map(uri),
      },
    });
    assert.ok(capabilities.hoverProvider && capabilities.renameProvider && capabilities.codeLensProvider);
    client.tell('initialized', {});
  });
  afterEach(() => {
    client.end();
    rmSync(folder, { recursive: true });
  });

  it('publishes an error and takes it back', async () => {
    client.open(uri('main.S'), '_start:\n\tbogus\n');
    await client.until(uri('main.S'), (messages) =>
      messages.some((message) => /no such instruction/.test(message)),
    );
    const range = { start: { line: 1, character: 1 }, end: { line: 1, character: 6 } };
    const textDocument = { uri: uri('main.S'), version: 2 };
    client.tell('textDocument/didChange', { textDocument, contentChanges: [{ range, text: 'nop' }] });
    await client.until(
      uri('main.S'),
      (messages) => !messages.some((message) => /no such instruction/.test(message)),
    );
  });

  it('assembles an included file as a part of its program', async () => {
    client.open(uri('part.S'), '\tcall nowhere_else\nprint:\n\tbogus\n');
    await client.until(uri('part.S'), (messages) =>
      messages.some((message) => /no such instruction/.test(message)),
    );
    const places = await client.ask<{ uri: string }[]>('textDocument/references', {
      textDocument: { uri: uri('part.S') },
      position: { line: 1, character: 2 },
      context: { includeDeclaration: false },
    });
    assert.deepEqual(
      places.map((place) => place.uri),
      [uri('main.S')],
    );
  });

  it('assembles again when a file on disk or a setting changes', async () => {
    const text = '#include "part.S"\n\t.globl _start\n_start:\n\tput_twice\n';
    client.open(uri('main.S'), text);
    await client.until(uri('main.S'), (messages) => messages.length > 0);
    write('part.S', '\t.macro put_twice\n\tsgdt (%rax)\n\t.endm\n');
    client.tell(SOURCE_CHANGED, { uri: uri('part.S') });
    await client.until(uri('main.S'), (messages) => messages.length === 0);
    client.tell('workspace/didChangeConfiguration', { settings: { deprivileged: true } });
    await client.until(uri('main.S'), (messages) => messages.some((message) => /SGDT/.test(message)));
  });

  it('says what the C compiler says of saved handlers', async function () {
    if (!(await findCompiler(platformNode))) this.skip();
    const text = '#include <hyperstep/hypercall.h>\nint f(void) { return missing; }\n';
    write('handlers.c', text);
    client.tell(COMPILED_SOURCE_SAVED, { uri: uri('handlers.c'), text });
    await client.until(uri('handlers.c'), (messages) => messages.some((message) => /missing/.test(message)));
    write('handlers.c', text.replace('missing', '0'));
    client.tell(COMPILED_SOURCE_SAVED, { uri: uri('handlers.c'), text });
    await client.until(uri('handlers.c'), (messages) => messages.length === 0);
  });
});
