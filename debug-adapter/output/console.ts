/** Bytes of the serial ports as `output` events: COM1 is the guest's console, COM2 the host's log. */
import type { DebugProtocol } from '@vscode/debugprotocol';

type OutputBody = DebugProtocol.OutputEvent['body'];

/** A line longer than this is sent in pieces. */
const LONGEST_LINE = 4096;
const NEWLINE = 0x0a;

const CATEGORIES = ['stdout', 'console'] as const;

/** Collects whole lines; a character of several bytes is never cut. */
export class SerialConsole {
  private readonly ports: readonly PortBuffer[];

  constructor(send: (body: OutputBody) => void) {
    this.ports = CATEGORIES.map((category) => new PortBuffer((output) => send({ category, output })));
  }

  /** For `MachineObservers.onSerialOutput`. */
  readonly write = (port: number, byte: number): void => {
    this.ports[port]?.write(byte);
  };

  /** Sends unfinished lines: at a stop the user sees all that was written. */
  flush(): void {
    for (const port of this.ports) port.flush();
  }

  /** As `flush`, and what is left of an unfinished character as the replacement character. */
  end(): void {
    for (const port of this.ports) port.end();
  }
}

class PortBuffer {
  private readonly decoder = new TextDecoder();
  private bytes: number[] = [];

  constructor(private readonly send: (text: string) => void) {}

  write(byte: number): void {
    this.bytes.push(byte);
    if (byte === NEWLINE || this.bytes.length >= LONGEST_LINE) this.flush();
  }

  flush(): void {
    this.emit(this.decoder.decode(Uint8Array.from(this.bytes), { stream: true }));
  }

  end(): void {
    this.emit(this.decoder.decode(Uint8Array.from(this.bytes)));
  }

  private emit(text: string): void {
    this.bytes = [];
    if (text !== '') this.send(text);
  }
}
