import { SETTINGS } from './config-schema.js';
import type { Config, LoadedConfig } from './config.js';
import { nearest } from './nearest.js';

export interface DescribedSetting {
  readonly key: string;
  /** What is in force, masked if secret; null if nothing is set. */
  readonly value: unknown;
  readonly from: string;
  readonly env: string;
  readonly description: string;
}

export interface IgnoredVariable {
  readonly name: string;
  readonly nearest: string | null;
}

/**
 * All settings for people and for `config --json`, and the variables that look like settings but
 * are none. Those are no error: a container platform injects names of its own.
 */
export function describeConfig(
  loaded: LoadedConfig,
  env: NodeJS.ProcessEnv,
): { settings: DescribedSetting[]; ignored: IgnoredVariable[] } {
  const settings = SETTINGS.map((item) => {
    const value = valueAt(loaded.config, item.key);
    return {
      key: item.key,
      value: shown(value, item.secret),
      from: loaded.sources.get(item.key)?.name ?? 'not set',
      env: item.env,
      description: item.description,
    };
  });
  const known = new Set(
    SETTINGS.flatMap(({ env: name, secret }) => (secret ? [name, `${name}_FILE`] : [name])),
  );
  const ignored = Object.keys(env)
    .filter((name) => name.startsWith('TRUECOUNT_') && !known.has(name))
    .sort()
    .map((name) => ({ name, nearest: nearest(name, [...known]) ?? null }));
  return { settings, ignored };
}

function shown(value: unknown, secret: boolean): unknown {
  if (value === undefined) return null;
  if (!secret) return value;
  return typeof value === 'string' ? mask(value) : '***';
}

/** A secret as it may be shown: of an address only the password and secret parameters are hidden. */
export function mask(secret: string): string {
  try {
    const url = new URL(secret);
    if (url.password !== '') url.password = '***';
    for (const name of url.searchParams.keys()) {
      if (/password|secret|token/i.test(name)) url.searchParams.set(name, '***');
    }
    return url.toString();
  } catch {
    return '***';
  }
}

/** The settings as the environment that gives just them, secrets in the clear. */
export function asEnvironment(config: Config): Record<string, string> {
  const env: Record<string, string> = {};
  for (const { key, env: name } of SETTINGS) {
    const value = valueAt(config, key);
    if (Array.isArray(value)) env[name] = value.join(',');
    else if (typeof value === 'string') env[name] = value;
    else if (value !== undefined) env[name] = JSON.stringify(value);
  }
  return env;
}

function valueAt(config: object, key: string): unknown {
  let node: unknown = config;
  for (const name of key.split('.')) {
    node = (node as Readonly<Record<string, unknown>> | undefined)?.[name];
  }
  return node;
}
