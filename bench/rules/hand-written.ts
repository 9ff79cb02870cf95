import type { ClickView } from '../../core/click/view.js';
import { FIELD_ABSENT } from '../../core/click/view.js';
import { ByteInterner } from '../../stream/interner.js';
import type { FilterTable } from '../../stream/compiled-rules.js';

/**
 * The default rules as somebody would write them who never has others: country with UK as GB, device
 * and format, each value interned and its filter found once. What the compiled ones are measured
 * beside.
 */
export class HandWrittenRules {
  private readonly countries = new ByteInterner();
  private readonly devices = new ByteInterner();
  private readonly formats = new ByteInterner();
  private readonly countryFilters: number[] = [];
  private readonly deviceFilters: number[] = [];
  private readonly formatFilters: number[] = [];
  private readonly noCountry;
  private readonly noDevice;
  private readonly noFormat;

  constructor(private readonly table: FilterTable) {
    const none = (name: string): readonly [number, number] => [
      table.idOf(`${name}:unknown`),
      table.idOf(`${name}:other`),
    ];
    this.noCountry = none('country');
    this.noDevice = none('device');
    this.noFormat = none('format');
  }

  judge(view: ClickView, out: Int32Array, at: number): number {
    const { source, fieldStart, fieldEnd } = view;
    const country = fieldStart[0]!;
    if (country < 0) out[at] = this.noCountry[country === FIELD_ABSENT ? 0 : 1];
    else {
      const id = this.countries.intern(source, country, fieldEnd[0]!);
      out[at] = this.countryFilters[id] ?? this.newCountry(id);
    }
    const device = fieldStart[1]!;
    if (device < 0) out[at + 1] = this.noDevice[device === FIELD_ABSENT ? 0 : 1];
    else {
      const id = this.devices.intern(source, device, fieldEnd[1]!);
      out[at + 1] = this.deviceFilters[id] ?? this.newDevice(id);
    }
    const format = fieldStart[2]!;
    if (format < 0) out[at + 2] = this.noFormat[format === FIELD_ABSENT ? 0 : 1];
    else {
      const id = this.formats.intern(source, format, fieldEnd[2]!);
      out[at + 2] = this.formatFilters[id] ?? this.newFormat(id);
    }
    return 0;
  }

  private newCountry(id: number): number {
    const text = this.countries.toString(id);
    return (this.countryFilters[id] = this.filter('country', text === 'UK' ? 'GB' : text));
  }

  private newDevice(id: number): number {
    return (this.deviceFilters[id] = this.filter('device', this.devices.toString(id)));
  }

  private newFormat(id: number): number {
    return (this.formatFilters[id] = this.filter('format', this.formats.toString(id)));
  }

  private filter(name: string, text: string): number {
    return this.table.idOf(Buffer.byteLength(text) > 256 ? `${name}:other` : `${name}:${text}`);
  }
}
