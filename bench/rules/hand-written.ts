import type { ClickView } from '../../core/click/view.js';
import { FIELD_ABSENT } from '../../core/click/view.js';
import { ByteInterner } from '../../stream/interner.js';
import type { FilterTable } from '../../stream/compiled-rules.js';
import { ShortTexts } from '../../stream/short-texts.js';

/**
 * The default rules as somebody would write them who never has others: country with UK as GB, device
 * and format, with the same tables in front as the stream has. What the compiled ones are measured
 * beside.
 */
export class HandWrittenRules {
  private readonly country: HandWrittenValue;
  private readonly device: HandWrittenValue;
  private readonly format: HandWrittenValue;

  constructor(table: FilterTable) {
    this.country = new HandWrittenValue(table, 'country');
    this.device = new HandWrittenValue(table, 'device');
    this.format = new HandWrittenValue(table, 'format');
  }

  judge({ source, fieldStart, fieldEnd }: ClickView, out: Int32Array, at: number): number {
    out[at] = this.country.filterOf(source, fieldStart[0]!, fieldEnd[0]!);
    out[at + 1] = this.device.filterOf(source, fieldStart[1]!, fieldEnd[1]!);
    out[at + 2] = this.format.filterOf(source, fieldStart[2]!, fieldEnd[2]!);
    return 0;
  }
}

class HandWrittenValue {
  private readonly short = new ShortTexts();
  private readonly texts = new ByteInterner();
  private readonly filters: number[] = [];
  private readonly unknown: number;
  private readonly other: number;

  constructor(
    private readonly table: FilterTable,
    private readonly name: string,
  ) {
    this.unknown = table.idOf(`${name}:unknown`);
    this.other = table.idOf(`${name}:other`);
  }

  filterOf(source: Uint8Array, start: number, end: number): number {
    if (start < 0) return start === FIELD_ABSENT ? this.unknown : this.other;
    const known = this.short.find(source, start, end);
    return known < 0 ? this.long(source, start, end) : known;
  }

  private long(source: Uint8Array, start: number, end: number): number {
    const id = this.texts.intern(source, start, end);
    const filter = (this.filters[id] ??= this.filter(this.texts.toString(id)));
    this.short.remember(source, start, end, filter);
    return filter;
  }

  private filter(text: string): number {
    const { name } = this;
    if (Buffer.byteLength(text) > 256) return this.other;
    return this.table.idOf(`${name}:${name === 'country' && text === 'UK' ? 'GB' : text}`);
  }
}
