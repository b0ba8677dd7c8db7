/** Handles for variables: valid until the machine goes on. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Container, Page, VariableRow } from './container.js';
import type { NumberFormat } from './numberFormat.js';
import { VariableError } from './numberFormat.js';

export class VariableStore {
  private readonly containers = new Map<number, Container>();
  private lastReference = 0;

  /** Hexadecimal until the user toggles it; a request's own `format.hex` wins. */
  format: NumberFormat = 'hex';

  /** The machine moves: handles are void. Numbers are not used again, so that an old one is known as such. */
  invalidate(): void {
    this.containers.clear();
  }

  /** A new handle for a container; 0 for none, as DAP has it. */
  referenceOf(container: Container | undefined): number {
    if (!container) return 0;
    this.containers.set(++this.lastReference, container);
    return this.lastReference;
  }

  /** The rows of a handle. Throws VariableError for a handle of an earlier stop. */
  variables(args: DebugProtocol.VariablesArguments): DebugProtocol.Variable[] {
    const container = this.containerOf(args.variablesReference);
    const isOther =
      args.filter === 'indexed' ? !container.indexed : args.filter === 'named' && !!container.indexed;
    if (isOther) return [];
    const page: Page = { start: args.start, count: args.count };
    return container.rows(this.formatFor(args.format), page).map((row) => this.toVariable(row));
  }

  containerOf(reference: number): Container {
    const container = this.containers.get(reference);
    if (!container) throw new VariableError('these variables are of an earlier stop');
    return container;
  }

  formatFor(format: DebugProtocol.ValueFormat | undefined): NumberFormat {
    return format?.hex ? 'hex' : this.format;
  }

  toVariable(row: VariableRow): DebugProtocol.Variable {
    const { children, ...plain } = row;
    return {
      ...plain,
      variablesReference: this.referenceOf(children),
      ...(children?.indexed && { indexedVariables: children.indexed }),
      ...(children?.named && { namedVariables: children.named }),
    };
  }
}
