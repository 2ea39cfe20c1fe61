//! Every raw colour of the app, dark and light; everything else names them.
#![expect(clippy::disallowed_methods, reason = "the one place where colours are made")]

use egui::Color32;

const fn hex(rgb: u32) -> Color32 {
    Color32::from_rgb((rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8)
}

/// The colours of one theme, by their use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette {
    /// The window.
    pub bg: Color32,
    /// Rail and cards.
    pub panel: Color32,
    /// Inputs, stripes, what lies under the pointer.
    pub raised: Color32,
    /// Lines of cards.
    pub border: Color32,
    /// Outlines of controls.
    pub control: Color32,
    /// Text.
    pub text: Color32,
    /// Labels and second thoughts.
    pub text_dim: Color32,
    /// The primary button, the selection.
    pub accent: Color32,
    /// Text on the accent.
    pub on_accent: Color32,
    /// Accepted, done.
    pub ok: Color32,
    /// Received, warnings.
    pub warn: Color32,
    /// Failed.
    pub error: Color32,
    /// Rendering.
    pub running: Color32,
    /// Ring of the keyboard's focus.
    pub focus: Color32,
    /// Around a picture: neutral, so that its colours are judged fairly.
    pub surround: Color32,
    /// Behind pixels that are not there yet.
    pub missing: Color32,
    /// Under a glyph drawn upon a picture: dark in both themes, for a picture may be bright in both.
    pub scrim: Color32,
    /// Lines and glyphs upon a picture.
    pub on_picture: Color32,
    /// The part of a bar that is not filled.
    pub track: Color32,
    /// Behind what is chosen in a list.
    pub selected: Color32,
    /// Over everything while a sheet is open.
    pub veil: Color32,
}

/// For dark surroundings.
pub const DARK: Palette = Palette {
    bg: hex(0x0f_11_14),
    panel: hex(0x16_19_1e),
    raised: hex(0x20_24_2b),
    border: hex(0x34_3a_44),
    control: hex(0x6b_74_86),
    text: hex(0xe6_e9_ef),
    text_dim: hex(0x9a_a3_b2),
    accent: hex(0xff_b4_54),
    on_accent: hex(0x1a_12_06),
    ok: hex(0x6f_e0_c0),
    warn: hex(0xf2_c1_4e),
    error: hex(0xff_6b_6b),
    running: hex(0x6f_b1_ff),
    focus: hex(0xff_ff_ff),
    surround: hex(0x1a_1a_1a),
    missing: hex(0x24_24_24),
    scrim: Color32::from_rgba_premultiplied(12, 12, 12, 200),
    on_picture: hex(0xff_ff_ff),
    track: hex(0x3d_44_50),
    selected: hex(0x2a_30_3a),
    veil: Color32::from_rgba_premultiplied(0, 0, 0, 150),
};

/// For bright surroundings.
pub const LIGHT: Palette = Palette {
    bg: hex(0xf4_f5_f7),
    panel: hex(0xff_ff_ff),
    raised: hex(0xeb_ed_f1),
    border: hex(0xc6_cb_d4),
    control: hex(0x7d_86_96),
    text: hex(0x1b_1f_26),
    text_dim: hex(0x56_60_70),
    accent: hex(0x9a_5b_00),
    on_accent: hex(0xff_ff_ff),
    ok: hex(0x0f_7a_3f),
    warn: hex(0x8a_5a_00),
    error: hex(0x99_00_4d),
    running: hex(0x1f_5f_bf),
    focus: hex(0x1b_1f_26),
    surround: hex(0x8c_8c_8c),
    missing: hex(0x7c_7c_7c),
    scrim: Color32::from_rgba_premultiplied(12, 12, 12, 200),
    on_picture: hex(0xff_ff_ff),
    track: hex(0xb4_bb_c6),
    selected: hex(0xe0_e4_eb),
    veil: Color32::from_rgba_premultiplied(0, 0, 0, 90),
};

/// A pixel of a picture: data, not a colour of the theme.
#[must_use]
pub const fn picture_pixel(rgba: [u8; 4]) -> Color32 {
    // Alpha is 0 or 255, so that premultiplying changes nothing.
    Color32::from_rgba_premultiplied(rgba[0], rgba[1], rgba[2], rgba[3])
}
