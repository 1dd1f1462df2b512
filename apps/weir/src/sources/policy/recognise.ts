/** The keys that only a policy file has at its top. */
const KEY = /^["']?(?:rules|default_action|lists|generated_at)["']?[ ]*:/m;
const FLOW = /^\s*\{[^{}[\]]*?["']?(?:rules|default_action|lists|generated_at)["']?\s*:/;

/** Whether a text is meant as a policy file and not as a configuration, by the keys at its top. */
export function isPolicyText(text: string): boolean {
  return KEY.test(text) || FLOW.test(text);
}
