// The likelihood of a 1 in each context, in 1/256, as the Rust crate hither-protocol has counted them over recorded
// mice: `vectors/motion_coder.json`.

/**
 * By context, as `model` numbers them. A letter is a quarter of the odds' natural logarithm above the one before it;
 * A is even.
 */
export const TABLE: Uint8Array = Uint8Array.from(
  '5ACEFGGHHHHG8ACAFHJLNOPR9ABAEFHJKLNQ;AAAEAGIKLNRFDDDBB@?=9*AAAB>==>9O3AAAAAACA@??<><2AAAAA?>=889AAAAAAAADA@@@??<' +
    '-AAAAAB@>====C5AAAAAFCA@@??>;69AAAEC@>>=;@==9AAAEDBA@??=;77AAAFDB@>>=;9:;AAAHDCA@?>=;:7;AAIFCB@>><:?1AAAKGDCA?==' +
    ';;0AAALIECB?><;<0AAANJGCB@><;9/AAAOLHEBA><::0AAAPMJFBA?<971AAAROKHDA@=;8/AAARPMJFA@>98/AAAUROLIEA?<962AAX>?>>==<' +
    '7;AAAAX;8:?7AAAAAAAAX=<<<2AAAAAAAAX:>4AAAAAAAAAAB@@@>>;><6AAAA@=>:>97AAAAAAADA??>=?<96AAAADA??>?<<;5AAAADB@?>=>:' +
    '77AAAAECA?>==8<6AAAAFCB@>=<<92AAAAGEB@>>==98;AAAIFCA?>=<:2=AAAJGDB@>=<92=AAALIEBA><<;56AAAMJGCA?=<:66AAANKHEB@><' +
    '<06AAAPMJGCA?<;<-AAAQOKHEA@=;<*AAASQNKHDB?=;60AAAAAAA@A568878>6689::<2122780@99:;;<>65578:B>99:;=A@8778:AB>888;A' +
    'AB@>=<A????>>=<<9AAA-E2CAJ',
  (letter) => 256 / (1 + Math.exp((65 - letter.charCodeAt(0)) / 4)),
)
