#include "chars.h"

/* Letters and digits belong to the same classes, but for the hexadecimal ones. */
#define WORD (CHAR_TOKEN | CHAR_UNRESERVED | CHAR_PATH | CHAR_HOST)
#define HEX (WORD | CHAR_HEX)

const uint8_t char_class[256] = {
    ['0'] = HEX, ['1'] = HEX, ['2'] = HEX, ['3'] = HEX, ['4'] = HEX, ['5'] = HEX, ['6'] = HEX, ['7'] = HEX,
    ['8'] = HEX, ['9'] = HEX, ['A'] = HEX, ['B'] = HEX, ['C'] = HEX, ['D'] = HEX, ['E'] = HEX, ['F'] = HEX,
    ['a'] = HEX, ['b'] = HEX, ['c'] = HEX, ['d'] = HEX, ['e'] = HEX, ['f'] = HEX,
    ['G'] = WORD, ['H'] = WORD, ['I'] = WORD, ['J'] = WORD, ['K'] = WORD, ['L'] = WORD, ['M'] = WORD, ['N'] = WORD,
    ['O'] = WORD, ['P'] = WORD, ['Q'] = WORD, ['R'] = WORD, ['S'] = WORD, ['T'] = WORD, ['U'] = WORD, ['V'] = WORD,
    ['W'] = WORD, ['X'] = WORD, ['Y'] = WORD, ['Z'] = WORD,
    ['g'] = WORD, ['h'] = WORD, ['i'] = WORD, ['j'] = WORD, ['k'] = WORD, ['l'] = WORD, ['m'] = WORD, ['n'] = WORD,
    ['o'] = WORD, ['p'] = WORD, ['q'] = WORD, ['r'] = WORD, ['s'] = WORD, ['t'] = WORD, ['u'] = WORD, ['v'] = WORD,
    ['w'] = WORD, ['x'] = WORD, ['y'] = WORD, ['z'] = WORD,
    ['-'] = WORD, ['.'] = WORD, ['_'] = WORD,
    ['~'] = CHAR_TOKEN | CHAR_UNRESERVED | CHAR_PATH,
    ['!'] = CHAR_TOKEN | CHAR_PATH, ['$'] = CHAR_TOKEN | CHAR_PATH, ['&'] = CHAR_TOKEN | CHAR_PATH,
    ['\''] = CHAR_TOKEN | CHAR_PATH, ['*'] = CHAR_TOKEN | CHAR_PATH, ['+'] = CHAR_TOKEN | CHAR_PATH,
    ['('] = CHAR_PATH, [')'] = CHAR_PATH, [','] = CHAR_PATH, [';'] = CHAR_PATH, ['='] = CHAR_PATH,
    [':'] = CHAR_PATH, ['@'] = CHAR_PATH,
    ['#'] = CHAR_TOKEN, ['%'] = CHAR_TOKEN, ['^'] = CHAR_TOKEN, ['`'] = CHAR_TOKEN, ['|'] = CHAR_TOKEN,
};
