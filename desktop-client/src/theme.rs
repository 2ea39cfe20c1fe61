//! Colours, sizes and type of the app. Semantic names; the raw colours are in [`tokens`].

pub mod tokens;

use egui::{
    Context, CornerRadius, FontFamily, FontId, Margin, Stroke, Style, TextStyle, Theme, Ui, Vec2,
    Visuals,
};

pub use tokens::Palette;

/// Space between things, points.
pub mod space {
    /// Between an icon and its word.
    pub const TINY: f32 = 4.0;
    /// Between items.
    pub const ITEM: f32 = 8.0;
    /// Inside cards.
    pub const CARD: f32 = 12.0;
    /// Around a page.
    pub const PAGE: f32 = 16.0;
    /// Between sections.
    pub const SECTION: f32 = 24.0;
    /// Width of the rail.
    pub const RAIL: f32 = 132.0;
    /// Height of the status bar.
    pub const STATUS_BAR: f32 = 30.0;
    /// Height of a control.
    pub const CONTROL: f32 = 28.0;
    /// Height of a table's row.
    pub const ROW: f32 = 36.0;
}

/// Radius of what is small.
pub const RADIUS_SMALL: CornerRadius = CornerRadius::same(4);
/// Radius of controls.
pub const RADIUS_CONTROL: CornerRadius = CornerRadius::same(6);
/// Radius of cards.
pub const RADIUS_CARD: CornerRadius = CornerRadius::same(8);

/// Name of the largest type, for the balance alone.
pub const DISPLAY: &str = "display";

/// The colours in use.
#[must_use]
pub fn palette(ui: &Ui) -> &'static Palette {
    of(if ui.visuals().dark_mode { Theme::Dark } else { Theme::Light })
}

const fn of(theme: Theme) -> &'static Palette {
    match theme {
        Theme::Dark => &tokens::DARK,
        Theme::Light => &tokens::LIGHT,
    }
}

/// Type for numbers that change: of one width, so that they do not jitter.
#[must_use]
pub const fn mono(size: f32) -> FontId {
    FontId::new(size, FontFamily::Monospace)
}

/// Type for words.
#[must_use]
pub const fn sans(size: f32) -> FontId {
    FontId::new(size, FontFamily::Proportional)
}

/// Gives both themes to egui.
pub fn install(ctx: &Context) {
    for theme in [Theme::Dark, Theme::Light] {
        ctx.set_style_of(theme, style(theme));
    }
}

fn style(theme: Theme) -> Style {
    let mut style = Style { visuals: visuals(theme), ..Style::default() };
    style.text_styles = [
        (TextStyle::Small, sans(11.0)),
        (TextStyle::Body, sans(13.5)),
        (TextStyle::Button, sans(13.5)),
        (TextStyle::Monospace, mono(12.0)),
        (TextStyle::Heading, sans(18.0)),
        (TextStyle::Name(DISPLAY.into()), mono(28.0)),
    ]
    .into();
    style.animation_time = 0.12;
    let spacing = &mut style.spacing;
    spacing.item_spacing = Vec2::splat(space::ITEM);
    spacing.button_padding = Vec2::new(12.0, 5.0);
    spacing.interact_size.y = space::CONTROL;
    spacing.window_margin = Margin::same(12);
    spacing.menu_margin = Margin::same(8);
    spacing.tooltip_width = 320.0;
    style
}

fn visuals(theme: Theme) -> Visuals {
    let colours = of(theme);
    let mut visuals = match theme {
        Theme::Dark => Visuals::dark(),
        Theme::Light => Visuals::light(),
    };
    visuals.panel_fill = colours.bg;
    visuals.window_fill = colours.panel;
    visuals.window_stroke = Stroke::new(1.0, colours.border);
    visuals.extreme_bg_color = colours.raised;
    visuals.text_edit_bg_color = Some(colours.raised);
    visuals.faint_bg_color = colours.raised;
    visuals.code_bg_color = colours.raised;
    visuals.weak_text_color = Some(colours.text_dim);
    visuals.hyperlink_color = colours.accent;
    visuals.warn_fg_color = colours.warn;
    visuals.error_fg_color = colours.error;
    visuals.selection.bg_fill = colours.selected;
    visuals.selection.stroke = Stroke::new(1.0, colours.text);
    visuals.window_corner_radius = RADIUS_CARD;
    visuals.menu_corner_radius = RADIUS_CONTROL;

    let widgets = &mut visuals.widgets;
    for widget in [
        &mut widgets.noninteractive,
        &mut widgets.inactive,
        &mut widgets.hovered,
        &mut widgets.active,
        &mut widgets.open,
    ] {
        widget.corner_radius = RADIUS_CONTROL;
        widget.fg_stroke = Stroke::new(1.0, colours.text);
        widget.bg_stroke = Stroke::new(1.0, colours.control);
        widget.bg_fill = colours.raised;
        widget.weak_bg_fill = colours.raised;
        widget.expansion = 0.0;
    }
    widgets.noninteractive.bg_stroke = Stroke::new(1.0, colours.border);
    widgets.noninteractive.bg_fill = colours.panel;
    widgets.hovered.weak_bg_fill = colours.border;
    widgets.hovered.bg_fill = colours.border;
    // Keyboard focus is drawn as "active".
    widgets.active.bg_stroke = Stroke::new(2.0, colours.focus);
    visuals
}
