import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../lab/index.ts';

/** What a program of the user's has before its own: no header is needed. */
export const PRELUDE = `
#define SEC(name) __attribute__((section(name), used))
struct __sk_buff { unsigned int len; };
extern void *bpf_map_lookup_elem(void *map, const void *key) __attribute__((kernel_helper(1)));
extern long bpf_skb_load_bytes(const void *skb, unsigned int offset, void *to, unsigned int size) __attribute__((kernel_helper(26)));
SEC("license") char _license[] = "GPL";
`;

/** Matches packets whose last octet is 'x', and counts what it was asked. */
export const ENDS_WITH_X = `${PRELUDE}
struct {
  int (*type)[2];
  unsigned int *key;
  unsigned long long *value;
  int (*max_entries)[1];
} asked SEC(".maps");

SEC("socket")
int ends_with_x(struct __sk_buff *skb)
{
  unsigned char last = 0;
  unsigned int zero = 0;
  unsigned long long *count = bpf_map_lookup_elem(&asked, &zero);
  if (count) __sync_fetch_and_add(count, 1);
  if (skb->len == 0 || bpf_skb_load_bytes(skb, skb->len - 1, &last, 1) < 0) return 0;
  return last == 'x';
}
`;

/** Reads the value of a map without asking whether there is one. */
export const UNCHECKED = `${PRELUDE}
struct {
  int (*type)[1];
  unsigned int *key;
  unsigned long long *value;
  int (*max_entries)[1];
} asked SEC(".maps");

SEC("socket")
int careless(struct __sk_buff *skb)
{
  unsigned int zero = 0;
  unsigned long long *count = bpf_map_lookup_elem(&asked, &zero);
  return *count == 7;
}

SEC("socket")
int always(struct __sk_buff *skb)
{
  return 1;
}
`;

/** The ELF object that a C program is compiled to. */
export async function compileC(source: string): Promise<Uint8Array> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-c-'));
  try {
    const [from, to] = [join(directory, 'program.c'), join(directory, 'program.o')];
    writeFileSync(from, source);
    await runCommand('bpf-gcc', ['-O2', '-g', '-gbtf', '-c', from, '-o', to]);
    return new Uint8Array(readFileSync(to));
  } finally {
    rmSync(directory, { recursive: true });
  }
}
