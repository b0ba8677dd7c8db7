// A program with one of everything that the debug information tests look at. It stops in `stop`, under frames of every kind.
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

enum color { RED, GREEN = 5, BLUE = -1 };
enum flags { FLAG_A = 1, FLAG_B = 2, FLAG_C = 4 };

struct opaque;

struct node {
  struct node *next;
  const char *name;
  int value;
  u32 a : 3, b : 5;
  int c : 7;
  u64 wide : 40;
  u8 tail;
};

union number {
  u64 whole;
  u32 half[2];
  struct {
    u16 low, high;
  };
};

struct outer {
  struct node inner;
  union number number;
  union {
    int anonymous;
    float as_float;
  };
  int (*callback)(struct node *node, int count);
  volatile u16 matrix[2][3];
  enum color color;
  char text[8];
  struct opaque *hidden;
  _Bool ready;
  double ratio;
  long double big;
  u8 flexible[];
};

typedef struct outer outer_t;

int counter = 3;
static u64 table[4] = {1, 0x100000000ull, 3, ~0ull};
static const char *const names[] = {"zero", "one", "two"};
const enum flags chosen = (enum flags)(FLAG_A | FLAG_C);
void *opaque_pointer;
extern int elsewhere;
int elsewhere = 77;

__attribute__((noinline)) void stop(void) { __asm__ volatile("" ::: "memory"); }

__attribute__((noinline)) static int leaf(struct node *node, int count, u8 small, long spread) {
  int sum = node->value + count;
  for (int i = 0; i < count; i++) {
    int square = i * i;
    sum += square * small;
  }
  stop();
  counter += sum;
  return sum + (int)spread;
}

static inline __attribute__((always_inline)) int inlined(struct node *node, int times) {
  int local = times * 2;
  {
    int times = local + 1;
    local += leaf(node, times, (u8)(times + 3), -5L);
  }
  return local;
}

__attribute__((noinline)) int middle(struct outer *outer, enum color color, u32 mask) {
  struct node copy = outer->inner;
  union number number = {.whole = 0x1122334455667788ull};
  int result = inlined(&outer->inner, (int)color);
  copy.value += result;
  return copy.value + (int)number.half[0] + (int)mask + outer->callback(&copy, result);
}

__attribute__((noinline)) int callback(struct node *node, int count) { return node->value * count; }

__attribute__((noinline)) int entry(int argument, const char *text) {
  struct node first = {.next = 0, .name = "first", .value = 10, .a = 5, .b = 17, .c = -3, .wide = 0xab12345678ull, .tail = 9};
  outer_t object = {
      .inner = {.next = &first, .name = text, .value = argument, .a = 1, .b = 2, .c = 63, .wide = 1, .tail = 255},
      .number = {.whole = table[1]},
      .anonymous = -7,
      .callback = callback,
      .matrix = {{1, 2, 3}, {4, 5, 6}},
      .color = BLUE,
      .text = "hi\n",
      .ready = 1,
      .ratio = 0.25,
      .big = -2.5L,
  };
  int result = middle(&object, GREEN, 0xf0f0);
  return result + argument + (int)names[0][0];
}

int main(void) { return entry(4, "text") == counter + (int)chosen + elsewhere + (opaque_pointer != 0); }
