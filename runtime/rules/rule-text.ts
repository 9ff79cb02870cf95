import { LineCounter, isNode, isScalar, parseDocument, visit, type Document } from 'yaml';
import { invalidAt } from './invalid.js';
import { repeatedKey } from './json-keys.js';

/** Keys and indices from the top of a document to a place in it. */
export type Path = readonly (string | number)[];

/** The text of a rule file, and where in it things are. */
export class RuleText {
  private read: { readonly document: Document; readonly lines: LineCounter } | undefined;

  constructor(
    private readonly path: string,
    private readonly text: string,
  ) {}

  /**
   * What the text says: JSON if the file is called so, else YAML 1.2.
   * @throws TruecountError `invalid_rule_set` with file and line
   */
  value(): unknown {
    if (this.path.toLowerCase().endsWith('.json')) return this.json();
    const { document, lines } = this.document();
    const [fault] = [...document.errors, ...document.warnings];
    if (fault !== undefined) {
      const what = `is not YAML: ${(fault.message.split('\n', 1)[0] ?? '').replace(/ at line \d+, column (\d+):$/, ' (column $1)')}`;
      throw invalidAt(this.path, lines.linePos(fault.pos[0]).line, what, fault);
    }
    this.checkKeys(document, lines);
    try {
      return document.toJS();
    } catch (cause) {
      throw invalidAt(this.path, undefined, `is not YAML: ${messageOf(cause)}`, cause);
    }
  }

  private json(): unknown {
    let value: unknown;
    try {
      value = JSON.parse(this.text);
    } catch (cause) {
      throw invalidAt(this.path, undefined, `is not JSON: ${messageOf(cause)}`, cause);
    }
    const repeated = repeatedKey(this.text);
    if (repeated === null) return value;
    const line = this.text.slice(0, repeated.index).split('\n').length;
    throw invalidAt(this.path, line, `repeats the key ${JSON.stringify(repeated.key)}`);
  }

  /** The line of what is at a place, or of the innermost thing around it that is there. */
  lineOf(path: Path): number | undefined {
    const { document, lines } = this.document();
    for (let length = path.length; length >= 0; length--) {
      const node = document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
    }
    return undefined;
  }

  /** `007: x` would be the key "7": what is to be a text is written as one. */
  private checkKeys(document: Document, lines: LineCounter): void {
    visit(document, {
      Pair: (_key, { key }) => {
        if (isScalar(key) && typeof key.value === 'string') return;
        const range = isNode(key) ? key.range : undefined;
        const line = range ? lines.linePos(range[0]).line : undefined;
        const shown = isScalar(key) ? key.source : undefined;
        throw invalidAt(this.path, line, `the key ${shown ?? ''} is no text: put it in quotes`);
      },
    });
  }

  private document(): { readonly document: Document; readonly lines: LineCounter } {
    if (this.read === undefined) {
      const lines = new LineCounter();
      this.read = { document: parseDocument(this.text, { lineCounter: lines }), lines };
    }
    return this.read;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
