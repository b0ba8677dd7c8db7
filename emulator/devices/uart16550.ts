/** 16550A UART (National Semiconductor PC16550D data sheet), as far as polled software sees it. */
import type { PortDevice } from './device.js';

const LCR_DLAB = 0x80;
const FCR_ENABLE = 0x01;
const FCR_CLEAR_RECEIVER = 0x02;
const IIR_NO_INTERRUPT = 0x01;
const IIR_RECEIVED_DATA = 0x04;
const IIR_TRANSMITTER_EMPTY = 0x02;
const IIR_FIFOS_ENABLED = 0xc0;
const IER_RECEIVED_DATA = 0x01;
const IER_TRANSMITTER_EMPTY = 0x02;
const LSR_DATA_READY = 0x01;
const LSR_TRANSMITTER_IDLE = 0x60;
const MCR_LOOPBACK = 0x10;
/** CTS, DSR and DCD: somebody listens. */
const MSR_CONNECTED = 0xb0;

const Register = {
  DATA: 0,
  INTERRUPT_ENABLE: 1,
  FIFO_CONTROL: 2,
  LINE_CONTROL: 3,
  MODEM_CONTROL: 4,
  LINE_STATUS: 5,
  MODEM_STATUS: 6,
  SCRATCH: 7,
} as const;

export class Uart16550 implements PortDevice {
  readonly portCount = 8;
  private interruptEnable = 0;
  private fifoControl = 0;
  private lineControl = 0x03;
  private modemControl = 0;
  private scratch = 0;
  /** 115200 baud. The line is infinitely fast: a byte is out when it is written. */
  private divisor = 1;
  private readonly received: number[] = [];

  constructor(
    readonly firstPort: number,
    private readonly transmit: (byte: number) => void,
  ) {}

  /** A byte arrives on the line. */
  receive(byte: number): void {
    this.received.push(byte & 0xff);
  }

  readPort(offset: number, size: number): number {
    let value = 0;
    for (let i = 0; i < size; i++) value += this.readByte(offset + i) * 2 ** (8 * i);
    return value;
  }

  writePort(offset: number, size: number, value: number): void {
    for (let i = 0; i < size; i++) this.writeByte(offset + i, (value >>> (8 * i)) & 0xff);
  }

  private get divisorLatch(): boolean {
    return (this.lineControl & LCR_DLAB) !== 0;
  }

  private readByte(offset: number): number {
    switch (offset) {
      case Register.DATA:
        return this.divisorLatch ? this.divisor & 0xff : (this.received.shift() ?? 0);
      case Register.INTERRUPT_ENABLE:
        return this.divisorLatch ? this.divisor >> 8 : this.interruptEnable;
      case Register.FIFO_CONTROL:
        return this.interruptIdentification();
      case Register.LINE_CONTROL:
        return this.lineControl;
      case Register.MODEM_CONTROL:
        return this.modemControl;
      case Register.LINE_STATUS:
        return LSR_TRANSMITTER_IDLE | (this.received.length > 0 ? LSR_DATA_READY : 0);
      case Register.MODEM_STATUS:
        return this.modemStatus();
      case Register.SCRATCH:
        return this.scratch;
      default:
        return 0xff;
    }
  }

  private writeByte(offset: number, value: number): void {
    switch (offset) {
      case Register.DATA:
        if (this.divisorLatch) this.divisor = (this.divisor & 0xff00) | value;
        else if (this.modemControl & MCR_LOOPBACK) this.receive(value);
        else this.transmit(value);
        break;
      case Register.INTERRUPT_ENABLE:
        if (this.divisorLatch) this.divisor = (this.divisor & 0xff) | (value << 8);
        else this.interruptEnable = value & 0x0f;
        break;
      case Register.FIFO_CONTROL:
        this.fifoControl = value;
        if (value & FCR_CLEAR_RECEIVER) this.received.length = 0;
        break;
      case Register.LINE_CONTROL:
        this.lineControl = value;
        break;
      case Register.MODEM_CONTROL:
        this.modemControl = value & 0x1f;
        break;
      case Register.SCRATCH:
        this.scratch = value;
        break;
      default: // Line and modem status are read-only.
        break;
    }
  }

  private interruptIdentification(): number {
    const fifos = this.fifoControl & FCR_ENABLE ? IIR_FIFOS_ENABLED : 0;
    if (this.interruptEnable & IER_RECEIVED_DATA && this.received.length > 0)
      return fifos | IIR_RECEIVED_DATA;
    if (this.interruptEnable & IER_TRANSMITTER_EMPTY) return fifos | IIR_TRANSMITTER_EMPTY;
    return fifos | IIR_NO_INTERRUPT;
  }

  /** In loopback the modem outputs come back as inputs (data sheet 8.6.7): DTR as DSR, RTS as CTS, OUT1 RI, OUT2 DCD. */
  private modemStatus(): number {
    if (!(this.modemControl & MCR_LOOPBACK)) return MSR_CONNECTED;
    const [dtr, rts, out1, out2] = [0, 1, 2, 3].map((bit) => (this.modemControl >> bit) & 1);
    return (rts << 4) | (dtr << 5) | (out1 << 6) | (out2 << 7);
  }
}
