// kafkajs has types of what is public. This class of its inside is mended by kafkajs-guards.ts, which
// says what it expects of it.
declare module 'kafkajs/src/network/requestQueue/index.js' {
  const RequestQueue: unknown;
  export = RequestQueue;
}
