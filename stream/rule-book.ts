import { capsOf, fieldsOf } from '../core/rules/meaning.js';
import type { RuleSet } from '../core/rules/rule-set.js';
import { CompiledRules, FilterTable } from './compiled-rules.js';

/**
 * The rule sets that clicks may be counted by. Each is compiled when the first hour needs it: of all
 * that were ever put in force, few are.
 */
export class RuleBook {
  readonly filters = new FilterTable();
  /** Of the decoder, for all of the rule sets. */
  readonly fields: readonly string[];
  /** The most dimensions, and the most caps, that one of them has. */
  readonly dimensionsMax: number;
  readonly capsMax: number;
  private readonly sets: ReadonlyMap<string, RuleSet>;
  private readonly compiled = new Map<string, CompiledRules>();

  constructor(sets: readonly { readonly hash: string; readonly ruleSet: RuleSet }[]) {
    this.sets = new Map(sets.map(({ hash, ruleSet }) => [hash, ruleSet]));
    this.fields = [...new Set(sets.flatMap(({ ruleSet }) => fieldsOf(ruleSet)))];
    this.dimensionsMax = Math.max(...sets.map(({ ruleSet }) => ruleSet.dimensions.length));
    this.capsMax = Math.max(...sets.map(({ ruleSet }) => capsOf(ruleSet).length));
  }

  has(hash: string): boolean {
    return this.sets.has(hash);
  }

  /** `hash` is one that it has. */
  rulesOf(hash: string): CompiledRules {
    let rules = this.compiled.get(hash);
    if (rules === undefined) {
      rules = new CompiledRules(hash, this.sets.get(hash)!, this.fields, this.filters);
      this.compiled.set(hash, rules);
    }
    return rules;
  }

  /** What texts have taken so far. */
  get bytes(): number {
    let bytes = this.filters.texts.bytes;
    for (const rules of this.compiled.values()) bytes += rules.bytes;
    return bytes;
  }

  /** Forgets all texts, and gives back what they took. */
  reset(): void {
    this.filters.reset();
    for (const rules of this.compiled.values()) rules.reset();
  }
}
